"""What each protocol says itself."""

from ..protocols import LLCMProtocol, RegDBProtocol, SYSUMM01Protocol
from .base import Case, Convention

OWN = "the protocol's own"


def own_definition(case: Case) -> Convention:
    """A protocol's own definition, with which the others are compared."""
    source, sentence = _stated(case)
    rest = 'cosine of one feature an image, no re-ranking, equal distances by gallery index.'
    return Convention(OWN, source, f'{sentence}; {rest}', lambda case: '', lambda case: case.score())


def _stated(case: Case) -> tuple[str, str]:
    """Source and the first half of a sentence."""
    protocol = case.protocol
    if isinstance(protocol, SYSUMM01Protocol):
        draws = 'rand_perm_cam.mat' if protocol.gallery_sampling == 'official' else "AGW's random draws"
        return (
            'Wu et al., ICCV 2017: wuancong/SYSU-MM01 evaluation/evaluation_SYSU_MM01.m'
            + ('' if protocol.gallery_sampling == 'official' else '; mangye16/DDAG data_manager.py'),
            f'Mean over {protocol.num_trials} galleries by {draws}, camera 2 hidden from camera 3',
        )
    if isinstance(protocol, RegDBProtocol):
        return (
            'AGW (Ye et al., TPAMI 2021): mangye16/Cross-Modal-Re-ID-baseline eval_metrics.py, eval_regdb()',
            'All images of one modality search all of the other, CMC by image',
        )
    if isinstance(protocol, LLCMProtocol):
        return (
            'DEEN (Zhang and Wang, CVPR 2023): ZYK100/LLCM DEEN/data_manager.py, AGW/eval_metrics.py',
            f'Mean over {protocol.num_trials} galleries of an image per identity and camera, same identity and camera '
            'hidden',
        )
    return f'tsgan, {type(protocol).__name__}', str(protocol.describe())
