from .adversarial_loss import LSGANLoss, VanillaGANLoss
from .cluster_memory_loss import ClusterMemoryLoss
from .cycle_loss import CycleConsistencyLoss
from .precision import at_least_float32
from .teacher_student_loss import TeacherStudentLoss
from .triplet_loss import BatchHardTripletLoss

__all__ = [
    'BatchHardTripletLoss',
    'ClusterMemoryLoss',
    'CycleConsistencyLoss',
    'LSGANLoss',
    'TeacherStudentLoss',
    'VanillaGANLoss',
    'at_least_float32',
]
