from tsgan.lazy import lazily

_PLACES = {
    'ClusterBatchSampler': 'cluster_sampler',
    'IdentityPairBatchSampler': 'sampler',
    'ImageFolderReID': 'image_folder',
    'LLCM': 'llcm',
    'LoadReIDImage': 'transforms',
    'RegDB': 'regdb',
    'ReIDDataset': 'reid_dataset',
    'SYSUMM01': 'sysu_mm01',
    'UnlabelledFolder': 'unlabelled',
    'check_images': 'checks',
    'seed_worker': 'sampler',
}
__all__ = list(_PLACES)
__getattr__ = lazily(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__
