"""What is compared: the features as they are, of mirror images too, of several branches."""

from dataclasses import replace

from ..evaluate import ScoredSetting, comparable, mean_with_mirrored, side_by_side
from .base import Case, convention


@convention(
    'Euclidean, features as they are',
    source='MPANet (Wu et al., CVPR 2021): DoubtedSteam/MPANet utils/eval_regdb.py',
    sentence='Features are compared by Euclidean distance as the network gives them, not at unit length.',
)
def as_they_are(case: Case) -> dict[str, ScoredSetting]:
    """The length of a feature counts; where all have one length, nothing changes."""
    return case.score(feats=comparable(case.features, normalize=False))


@convention(
    'mirror images averaged',
    source='CAJ (Ye et al., ICCV 2021): mangye16/Cross-Modal-Re-ID-baseline ICCV21_CAJ/testa.py',
    sentence='Each feature is the mean of those of an image and of its mirror image.',
    lacks=lambda case: '' if case.mirror is not None else '--mirror, features of the mirrored images',
)
def mirrored(case: Case) -> dict[str, ScoredSetting]:
    """The mean of both at unit length, brought to unit length again."""
    means = mean_with_mirrored(case.features, case.mirror)
    return case.score(feats=comparable(replace(case.features, feats=means)))


@convention(
    'sum of branches',
    source='DEEN (Zhang and Wang, CVPR 2023): ZYK100/LLCM DEEN/train.py, test()',
    sentence='Similarities are sums of the cosines of several features of one network.',
    lacks=lambda case: '' if case.branches else '--branches, features of each branch',
)
def branches_summed(case: Case) -> dict[str, ScoredSetting]:
    """A sum of cosines is an inner product of unit features side by side, and these all have one length."""
    return case.score(feats=comparable(replace(case.features, feats=side_by_side(case.branches))))
