from tsgan.datasets.checks import check_images
from tsgan.datasets.image_folder import ImageFolderReID
from tsgan.datasets.llcm import LLCM
from tsgan.datasets.regdb import RegDB
from tsgan.datasets.reid_dataset import ReIDDataset
from tsgan.datasets.sampler import IdentityPairBatchSampler, seed_worker
from tsgan.datasets.sysu_mm01 import SYSUMM01
from tsgan.datasets.transforms import LoadReIDImage

__all__ = [
    'IdentityPairBatchSampler',
    'ImageFolderReID',
    'LLCM',
    'LoadReIDImage',
    'ReIDDataset',
    'RegDB',
    'SYSUMM01',
    'check_images',
    'seed_worker',
]
