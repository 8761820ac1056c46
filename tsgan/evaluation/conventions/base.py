"""What a convention is, and what it is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..evaluate import EvaluationProtocol, ScoredSetting, comparable, score_plain
from ..features import FeatureTable
from ..protocols import Setting


@dataclass(frozen=True, eq=False)
class Case:
    """What an audit is of.

    Args:
        features (FeatureTable): All test images of both modalities.
        protocol (EvaluationProtocol): Whose own definition the conventions are compared with.
        mirror (FeatureTable, optional): Features of the mirrored images, row by row.
        branches (Sequence[FeatureTable]): Features of the branches of a network that are summed, row by row.
        perm_file (str, optional): SYSU-MM01's permutations, where the protocol does without them.
        device (str, optional): See `evaluate`.
        memory_mb (float): See `evaluate`.
    """

    features: FeatureTable
    protocol: EvaluationProtocol
    mirror: FeatureTable | None = None
    branches: Sequence[FeatureTable] = ()
    perm_file: str | None = None
    device: str | None = None
    memory_mb: float = 1024

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """The protocol's own, by name."""
        return self.protocol.settings(self.features)

    @cached_property
    def feats(self) -> np.ndarray:
        """Features of unit length, as the protocol's own definition compares them, (N, D)."""
        return comparable(self.features)

    def score(
        self, settings: dict[str, Setting] | None = None, feats: np.ndarray | None = None
    ) -> dict[str, ScoredSetting]:
        """Scores by Euclidean distance, where settings (by name) or features (N, D) are not the protocol's own."""
        settings = self.settings if settings is None else settings
        return score_plain(self.features, self.feats if feats is None else feats, settings, self.memory_mb)


Measure = Callable[[Case], dict[str, ScoredSetting]]


class Convention(NamedTuple):
    """One way to measure that is in print.

    Attributes:
        name (str): In a table.
        source (str): Which paper or public repository measures so, and the file.
        sentence (str): What a paper must state that measures so.
        lacks (Callable): Of a case, what it lacks for this convention; '' where it applies.
        measure (Callable): Of a case, scores by setting; a setting that the convention does not touch is left out.
    """

    name: str
    source: str
    sentence: str
    lacks: Callable[[Case], str]
    measure: Measure


def convention(
    name: str, source: str, sentence: str, lacks: Callable[[Case], str] = lambda case: ''
) -> Callable[[Measure], Convention]:
    """Makes a convention of the function that measures by it."""
    return lambda measure: Convention(name, source, sentence, lacks, measure)


def only(name: str, protocol: type) -> Callable[[Case], str]:
    """What `lacks` says of a convention that is of one data set: its name, where another is measured."""
    return lambda case: '' if isinstance(case.protocol, protocol) else name
