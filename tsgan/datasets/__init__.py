from tsgan.lazy import lazily

_PLACES = {
    'ChannelExchange': 'transforms',
    'ClusterBatchSampler': 'cluster_sampler',
    'IdentityPairBatchSampler': 'sampler',
    'ImageFolderReID': 'image_folder',
    'LLCM': 'llcm',
    'LoadReIDImage': 'transforms',
    'ModalityViews': 'transforms',
    'ModerateRLE': 'transforms',
    'RadicalRLE': 'transforms',
    'RegDB': 'regdb',
    'ReIDDataset': 'reid_dataset',
    'SYSUMM01': 'sysu_mm01',
    'UnlabelledFolder': 'unlabelled',
    'check_images': 'checks',
    'collate_views': 'transforms',
    'seed_worker': 'sampler',
}
__all__ = list(_PLACES)
__getattr__ = lazily(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__
