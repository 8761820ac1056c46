from .adversarial_loss import LSGANLoss, VanillaGANLoss
from .cluster_memory_loss import ClusterMemoryLoss
from .cycle_loss import CycleConsistencyLoss
from .deen import CentreGuidedPairMiningLoss, OrthogonalityLoss
from .distances import centres, euclidean_distances, known, masked_mean, same
from .gathering import gathered
from .hetero_centre import HeteroCentreTripletLoss
from .mpanet import CentreClusterLoss, MaskOverlapLoss, ModalityAgreementLoss, ModalityIdentityLoss
from .of_output import OnLogits, OnVectors, named
from .pmt import DiscriminativeCentreLoss, ModalitySharedEnhancementLoss
from .precision import at_least_float32
from .teacher_student_loss import TeacherStudentLoss
from .triplet_loss import BatchHardTripletLoss
from .weak_strong import WeakStrongLoss
from .weighted_triplet import SquaredWeightedTripletLoss, WeightedTripletLoss

__all__ = [
    'BatchHardTripletLoss',
    'CentreClusterLoss',
    'CentreGuidedPairMiningLoss',
    'ClusterMemoryLoss',
    'CycleConsistencyLoss',
    'DiscriminativeCentreLoss',
    'HeteroCentreTripletLoss',
    'LSGANLoss',
    'MaskOverlapLoss',
    'ModalityAgreementLoss',
    'ModalityIdentityLoss',
    'ModalitySharedEnhancementLoss',
    'OnLogits',
    'OnVectors',
    'OrthogonalityLoss',
    'SquaredWeightedTripletLoss',
    'TeacherStudentLoss',
    'VanillaGANLoss',
    'WeakStrongLoss',
    'WeightedTripletLoss',
    'at_least_float32',
    'centres',
    'euclidean_distances',
    'gathered',
    'known',
    'masked_mean',
    'named',
    'same',
]
