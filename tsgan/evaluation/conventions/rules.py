"""How a ranking is read: what is counted, what is hidden, and how equal distances rank."""

from dataclasses import replace

from ..evaluate import ScoredSetting
from ..protocols import RegDBProtocol, SYSUMM01Protocol
from .base import Case, convention, only


@convention(
    'CMC by identity',
    source='MPANet (Wu et al., CVPR 2021): DoubtedSteam/MPANet utils/eval_regdb.py, get_cmc()',
    sentence='CMC counts identities, not images: R1, mAP and mINP are the same, R5 to R20 are higher.',
    lacks=only('RegDB', RegDBProtocol),
)
def by_identity(case: Case) -> dict[str, ScoredSetting]:
    """Walking the ranked list, each identity is kept once."""
    return case.score({name: replace(own, dedupe=True) for name, own in case.settings.items()})


@convention(
    'CMC by image',
    source='VersReID: iSEE-Laboratory/VersReID utils/metrics.py, eval_sysu_mm01_one_trial()',
    sentence='CMC counts images, not identities: R1, mAP and mINP are the same, R5 to R20 are lower.',
    lacks=only('SYSU-MM01', SYSUMM01Protocol),
)
def by_image(case: Case) -> dict[str, ScoredSetting]:
    """Every image of the ranked list counts."""
    return case.score({name: replace(own, dedupe=False) for name, own in case.settings.items()})


@convention(
    'camera 2 not hidden',
    source='the Market-1501 rule (same identity and camera), which across modalities hides nothing: '
    'iSEE-Laboratory/VersReID utils/metrics.py, eval_func(), which its joint test of several data sets uses',
    sentence='Probes of camera 3 search camera 2 too, which stands in the same room.',
    lacks=only('SYSU-MM01', SYSUMM01Protocol),
)
def camera_2_seen(case: Case) -> dict[str, ScoredSetting]:
    """Nothing is hidden."""
    return case.score({name: replace(own, exclude=None) for name, own in case.settings.items()})


TIES = 'numpy.argsort as the field calls it (not stable), such as mangye16/Cross-Modal-Re-ID-baseline eval_metrics.py'


@convention(
    'ties, best order', source=TIES, sentence='Of images at equal distance, those of the right identity rank first.'
)
def ties_best(case: Case) -> dict[str, ScoredSetting]:
    """No order of ties gives more."""
    return case.score({name: replace(own, ties='best') for name, own in case.settings.items()})


@convention(
    'ties, worst order', source=TIES, sentence='Of images at equal distance, those of the right identity rank last.'
)
def ties_worst(case: Case) -> dict[str, ScoredSetting]:
    """No order of ties gives less."""
    return case.score({name: replace(own, ties='worst') for name, own in case.settings.items()})
