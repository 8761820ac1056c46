"""Distances that know more than a query and an image: of their neighbours in the gallery, or among all probes."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

from ..evaluate import ScoredSetting, score_blocks, score_reranked
from ..protocols import RegDBProtocol, SYSUMM01Protocol
from ..rerank import KReciprocalReranker
from .affinity import affinity_blocks
from .base import Case, convention
from .half import HalfReranker

MPANET = 'MPANet (Wu et al., CVPR 2021): DoubtedSteam/MPANet utils/rerank.py, '
SAAI = 'SAAI (Fang et al., ICCV 2023): xiaoye-hhh/SAAI models/AIM.py, '
SAAI_SETTINGS = {  # (k1, k2), as its engine/__init__.py ends a training
    **{'all_single': (4, 1), 'all_multi': (20, 6), 'indoor_single': (2, 2), 'indoor_multi': (20, 6)},
    **{'ir_to_rgb': (8, 2), 'rgb_to_ir': (8, 2)},
}


def _lacks_torch(case: Case) -> str:
    return '' if find_spec('torch') else 'torch'


def _reranked(case: Case, reranker: Callable[..., KReciprocalReranker]) -> dict[str, ScoredSetting]:
    return score_reranked(case.features, case.feats, case.settings, case.device, case.memory_mb, reranker)


@convention(
    'k-reciprocal re-ranking',
    source='Zhong et al., CVPR 2017 (k1 = 20, k2 = 6, lambda = 0.3)',
    sentence='Re-ranked by k-reciprocal neighbours: a probe is compared with the help of all other probes.',
    lacks=_lacks_torch,
)
def k_reciprocal(case: Case) -> dict[str, ScoredSetting]:
    """Exact, of the probes and each drawn gallery together; pairs are hidden afterwards."""
    return _reranked(case, KReciprocalReranker)


@convention(
    'k-reciprocal, probes only, float16',
    source=f'{MPANET}eval_type=True; always on in 1KK077/IDKL IDKL/engine/__init__.py',
    sentence='Re-ranked by k-reciprocal neighbours among the probes alone, in float16.',
    lacks=lambda case: _lacks_torch(case) if isinstance(case.protocol, SYSUMM01Protocol) else 'SYSU-MM01',
)
def k_reciprocal_probes(case: Case) -> dict[str, ScoredSetting]:
    """As the field's code re-ranks SYSU-MM01; see `HalfReranker`."""
    return _reranked(case, partial(HalfReranker, probes_only=True))


@convention(
    'k-reciprocal, float16',
    source=f'{MPANET}eval_type=False; always on for LLCM in 1KK077/IDKL IDKL/engine/__init__.py',
    sentence='Re-ranked by k-reciprocal neighbours, in float16.',
    lacks=lambda case: (
        'a data set other than SYSU-MM01' if isinstance(case.protocol, SYSUMM01Protocol) else _lacks_torch(case)
    ),
)
def k_reciprocal_half(case: Case) -> dict[str, ScoredSetting]:
    """As the field's code re-ranks RegDB and LLCM; see `HalfReranker`."""
    return _reranked(case, HalfReranker)


@convention(
    'mean gallery affinity, k1 = 30, k2 = 6',
    source=f'{SAAI}the defaults of utils/eval_sysu.py',
    sentence='The affinity of gallery neighbours (k1 = 30, k2 = 6) is added to the cosine: a re-ranking.',
)
def mean_gallery_affinity(case: Case) -> dict[str, ScoredSetting]:
    """With the default numbers of neighbours."""
    return _affinity(case, dict.fromkeys(case.settings, (30, 6)))


def _lacks_numbers(case: Case) -> str:
    if not isinstance(case.protocol, SYSUMM01Protocol | RegDBProtocol):
        return 'SYSU-MM01 or RegDB'
    return '' if set(case.settings) & set(SAAI_SETTINGS) else f'one of the settings {", ".join(SAAI_SETTINGS)}'


@convention(
    'mean gallery affinity, k1, k2 by setting',
    source=f'{SAAI}engine/__init__.py: {", ".join(f"{k1}/{k2} {name}" for name, (k1, k2) in SAAI_SETTINGS.items())}',
    sentence='The affinity of gallery neighbours is added to the cosine, k1 and k2 by setting: a re-ranking.',
    lacks=_lacks_numbers,
)
def mean_gallery_affinity_chosen(case: Case) -> dict[str, ScoredSetting]:
    """With the numbers that SAAI's training ends with; settings that it has none for are left out."""
    return _affinity(case, {name: SAAI_SETTINGS[name] for name in case.settings if name in SAAI_SETTINGS})


def _affinity(case: Case, neighbours: dict[str, tuple[int, int]]) -> dict[str, ScoredSetting]:
    return score_blocks(
        case.features,
        {name: case.settings[name] for name in neighbours},
        lambda name, trial: affinity_blocks(
            case.feats[trial.query], case.feats[trial.gallery], *neighbours[name], memory_mb=case.memory_mb
        ),
        'Gallery affinity, trials',
    )
