"""One set of features under every convention in print."""

from collections.abc import Sequence
from typing import NamedTuple

from ..evaluate import EvaluationProtocol, check_answered, summarize_trials
from ..features import FeatureTable, check_same_images
from ..progress import progress
from .base import Case, Convention
from .compared import as_they_are, branches_summed, mirrored
from .galleries import agw_draws, official_draws, one_gallery, turned_round, whole_gallery
from .own import OWN, own_definition
from .reranked import (
    k_reciprocal,
    k_reciprocal_half,
    k_reciprocal_probes,
    mean_gallery_affinity,
    mean_gallery_affinity_chosen,
)
from .rules import by_identity, by_image, camera_2_seen, ties_best, ties_worst

CONVENTIONS = (
    *(agw_draws, official_draws, one_gallery, turned_round, whole_gallery),
    *(as_they_are, mirrored, branches_summed),
    *(by_identity, by_image, camera_2_seen, ties_best, ties_worst),
    *(k_reciprocal, k_reciprocal_probes, k_reciprocal_half, mean_gallery_affinity, mean_gallery_affinity_chosen),
)
MEASURES = ('R1', 'mAP', 'mINP')


class Row(NamedTuple):
    """One setting under one convention; numbers in percent."""

    convention: str
    setting: str
    R1: float
    mAP: float
    mINP: float
    source: str
    sentence: str


class Ledger(NamedTuple):
    """What an audit finds.

    Attributes:
        rows (list[Row]): The protocol's own definition first, then a convention after the other.
        left_out (dict[str, str]): Conventions that do not apply, each with what it lacks.
    """

    rows: list[Row]
    left_out: dict[str, str]


def audit(
    features: FeatureTable,
    protocol: EvaluationProtocol,
    mirror: FeatureTable | None = None,
    branches: Sequence[FeatureTable] = (),
    perm_file: str | None = None,
    device: str | None = None,
    memory_mb: float = 1024,
) -> Ledger:
    """Measures features as a protocol says, and as others do who print results under its name.

    Each convention differs from the protocol's own definition in that one thing.

    Args:
        features (FeatureTable): All test images of both modalities.
        protocol (EvaluationProtocol): For example `SYSUMM01Protocol()`.
        mirror (FeatureTable, optional): Features of the mirrored images, in the same order.
        branches (Sequence[FeatureTable]): Features of the same images, in the same order, whose cosines are summed;
            `features` are not among them unless given here too.
        perm_file (str, optional): SYSU-MM01's permutations, for a protocol that does without them.
        device (str, optional): See `evaluate`.
        memory_mb (float): See `evaluate`.

    Raises:
        ValueError: Mirror images or branches that are not of the same images in the same order, or as `evaluate` does.
    """
    others = {f'branch {nth}': branch for nth, branch in enumerate(branches, start=1)}
    if mirror is not None:
        others['the mirror file'] = mirror
    for name, table in others.items():
        check_same_images(features, table, ('the features file', name))
    if mirror is not None and mirror.feats.shape != features.feats.shape:
        raise ValueError(
            f'Features and those of mirror images must be of one length, not {features.feats.shape[1]} and '
            f'{mirror.feats.shape[1]}.'
        )
    case = Case(features, protocol, mirror, tuple(branches), perm_file, device, memory_mb)
    lacking = {convention: convention.lacks(case) for convention in CONVENTIONS}
    applying = [own_definition(case), *(convention for convention, lack in lacking.items() if not lack)]
    rows = [row for convention in progress(applying, 'Conventions') for row in _rows(convention, case)]
    return Ledger(rows, {convention.name: lack for convention, lack in lacking.items() if lack})


def _rows(convention: Convention, case: Case) -> list[Row]:
    scored = convention.measure(case)
    check_answered(scored)
    means = {setting: summarize_trials(scores) for setting, scores in scored.items()}
    return [
        Row(convention.name, setting, *(mean[name] for name in MEASURES), convention.source, convention.sentence)
        for setting, mean in means.items()
    ]


def ledger_table(ledger: Ledger) -> str:
    """A table a setting: each convention, its difference to the protocol's own, and below what a paper must state."""
    lines = []
    width = max(len(row.convention) for row in ledger.rows)
    own = {row.setting: row for row in ledger.rows if row.convention == OWN}
    for setting, first in own.items():
        head = ''.join(f'{f"{name} %":>8}{"":8}' for name in MEASURES)
        lines.append(f'{setting:<{width}}{head}'.rstrip())
        rows = [row for row in ledger.rows if row.setting == setting]
        lines += [f'{row.convention:<{width}}{"".join(_cells(row, first))}'.rstrip() for row in rows]
        lines.append('')
    stated = {row.convention: row for row in ledger.rows}
    lines += ['What a paper must state:', *(f'{name:<{width}}  {row.sentence}' for name, row in stated.items())]
    lines += ['', 'Read in:', *(f'{name:<{width}}  {row.source}' for name, row in stated.items())]
    if ledger.left_out:
        lines += [
            '',
            'Left out: ' + '; '.join(f'{name} (needs {lack})' for name, lack in ledger.left_out.items()) + '.',
        ]
    return '\n'.join(lines)


def _cells(row: Row, own: Row) -> list[str]:
    """The measures, each with the difference to the protocol's own."""
    if row is own:
        return [f'{getattr(row, name):8.2f}{"":8}' for name in MEASURES]
    differences = {name: round(getattr(row, name) - getattr(own, name), 2) + 0.0 for name in MEASURES}  # -0.0 is 0
    return [f'{getattr(row, name):8.2f}{difference:+8.2f}' for name, difference in differences.items()]
