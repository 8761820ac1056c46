from tsgan.datasets.checks import check_images, image_error
from tsgan.datasets.image_folder import ImageFolderReID
from tsgan.datasets.llcm import LLCM
from tsgan.datasets.regdb import RegDB
from tsgan.datasets.reid_dataset import ReIDDataset
from tsgan.datasets.sampler import IdentityPairBatchSampler, seed_worker
from tsgan.datasets.sysu_mm01 import SYSUMM01

__all__ = [
    'IdentityPairBatchSampler',
    'ImageFolderReID',
    'LLCM',
    'ReIDDataset',
    'RegDB',
    'SYSUMM01',
    'check_images',
    'image_error',
    'seed_worker',
]
