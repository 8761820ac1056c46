from .adversarial_loss import LSGANLoss, VanillaGANLoss
from .cycle_loss import CycleConsistencyLoss
from .gathering import gathered
from .of_output import OnLogits, OnVectors, named
from .precision import at_least_float32
from .teacher_student_loss import TeacherStudentLoss
from .triplet_loss import BatchHardTripletLoss

__all__ = [
    'BatchHardTripletLoss',
    'CycleConsistencyLoss',
    'LSGANLoss',
    'OnLogits',
    'OnVectors',
    'TeacherStudentLoss',
    'VanillaGANLoss',
    'at_least_float32',
    'gathered',
    'named',
]
