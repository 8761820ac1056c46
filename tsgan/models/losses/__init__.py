from .adversarial_loss import LSGANLoss, VanillaGANLoss
from .cycle_loss import CycleConsistencyLoss
from .teacher_student_loss import TeacherStudentLoss
from .triplet_loss import BatchHardTripletLoss

__all__ = ['BatchHardTripletLoss', 'CycleConsistencyLoss', 'LSGANLoss', 'TeacherStudentLoss', 'VanillaGANLoss']
