"""Who searches whom: how galleries are drawn, how many of them, and which side is searched."""

from dataclasses import replace
from itertools import product

import numpy as np

from ..evaluate import ScoredSetting
from ..protocols import LLCMProtocol, Setting, SYSUMM01Protocol, Trial
from ..protocols.base import both_sides, draw_one_per_folder, folders
from .base import Case, convention, only

OFFICIAL_TRIALS = 10


def _lacks_sampling(case: Case, own: str) -> str:
    """What a case lacks whose own galleries must be drawn this way."""
    if not isinstance(case.protocol, SYSUMM01Protocol):
        return 'SYSU-MM01'
    return '' if case.protocol.gallery_sampling == own else f'a protocol with {own} draws'


@convention(
    "AGW's gallery draws",
    source='DDAG (Ye et al., ECCV 2020): mangye16/DDAG data_manager.py; DEEN: ZYK100/LLCM DEEN/data_manager.py; '
    "in AGW's, mangye16/Cross-Modal-Re-ID-baseline data_manager.py, the seed is commented out; "
    'multi-shot: PMT (Lu et al., AAAI 2023), hulu88/PMT datamanager.py',
    sentence='Galleries are drawn at random, seeds 0 to 9, not by rand_perm_cam.mat.',
    lacks=lambda case: _lacks_sampling(case, 'official'),
)
def agw_draws(case: Case) -> dict[str, ScoredSetting]:
    """Single-shot as `SYSUMM01Protocol`'s 'agw'; multi-shot by NumPy's generator, which the published code never seeds.

    Each draw of a multi-shot gallery is seeded here, with the number of its trial.
    """
    protocol, table, settings = case.protocol, case.features, {}
    for (name, own), (mode, shot) in zip(case.settings.items(), product(protocol.modes, protocol.shots), strict=True):
        groups = list(folders(table, np.flatnonzero(np.isin(table.camids, protocol.MODES[mode]))))
        trials = []
        for seed, (query, _) in enumerate(own.trials):
            gallery = draw_one_per_folder(groups, seed) if shot == 1 else _draw_several(groups, shot, seed)
            trials.append(Trial(query, gallery))
        settings[name] = replace(own, trials=trials, sampling='agw')
    return case.score(settings)


def _draw_several(groups: list[tuple[int, int, np.ndarray]], shot: int, seed: int) -> np.ndarray:
    """So many images of each of `folders`, all where there are fewer, (n,)."""
    draws = np.random.RandomState(seed)
    return np.concatenate([draws.choice(rows, min(shot, len(rows)), replace=False) for _, _, rows in groups])


@convention(
    'official gallery draws',
    source='Wu et al., ICCV 2017: wuancong/SYSU-MM01 evaluation/evaluation_SYSU_MM01.m',
    sentence='Galleries are those of rand_perm_cam.mat, ten trials.',
    lacks=lambda case: _lacks_sampling(case, 'agw') or ('' if case.perm_file else '--perm, rand_perm_cam.mat'),
)
def official_draws(case: Case) -> dict[str, ScoredSetting]:
    """The fixed permutations, where the protocol draws at random."""
    own = case.protocol
    num_trials = min(own.num_trials, OFFICIAL_TRIALS)
    official = SYSUMM01Protocol(own.modes, own.shots, 'official', case.perm_file, num_trials)
    return case.score(official.settings(case.features))


@convention(
    'one gallery',
    source='AGW (Ye et al., TPAMI 2021) while it trains: mangye16/Cross-Modal-Re-ID-baseline train.py (trial=0)',
    sentence='Measured with the first gallery alone, no mean over ten.',
    lacks=lambda case: '' if any(len(own.trials) > 1 for own in case.settings.values()) else 'several draws',
)
def one_gallery(case: Case) -> dict[str, ScoredSetting]:
    """The first trial."""
    return case.score({name: replace(own, trials=own.trials[:1]) for name, own in case.settings.items()})


def _lacks_visible_queries(case: Case) -> str:
    if not isinstance(case.protocol, LLCMProtocol):
        return 'LLCM'
    return '' if 'rgb_to_ir' in case.protocol.directions else '--swap, the search by visible images'


@convention(
    'turned round',
    source='DEEN (Zhang and Wang, CVPR 2023): ZYK100/LLCM DEEN/test.py with test_mode [2, 1]',
    sentence='"VIS to IR" is a search by the drawn infrared images for all visible ones.',
    lacks=_lacks_visible_queries,
)
def turned_round(case: Case) -> dict[str, ScoredSetting]:
    """The published code draws infrared images as for a gallery, and then has them search the visible queries."""
    own = case.settings['rgb_to_ir']
    trials = [Trial(query=gallery, gallery=query) for query, gallery in own.trials]
    return case.score({'rgb_to_ir': replace(own, trials=trials)})


@convention(
    'whole gallery, nothing hidden',
    source='IDKL (Ren and Zhang, CVPR 2024): 1KK077/IDKL IDKL/data/dataset.py, utils/eval_llcm.py (all images of a '
    'modality have one camera number)',
    sentence="The gallery is all images of the other modality, those of the query's own camera too.",
    lacks=only('LLCM', LLCMProtocol),
)
def whole_gallery(case: Case) -> dict[str, ScoredSetting]:
    """Nothing is drawn, nothing is hidden."""
    settings = {
        name: Setting([Trial(*both_sides(case.features, name))], 'all images', dedupe=True) for name in case.settings
    }
    return case.score(settings)
