from collections.abc import Sequence

import numpy as np

from ..features import FeatureTable
from .base import DIRECTIONS, Setting, Trial, both_sides, check_directions


class CrossModalityProtocol:
    """Search across modalities in one's own images, where no camera is known.

    The settings are the directions `ir_to_rgb` and `rgb_to_ir`: all images of the first modality are queries, the
    gallery is drawn from the second. Nothing is excluded; CMC counts images, mAP too.

    Args:
        shots (int): Gallery images per identity (all where it has fewer). Defaults to 1.
        directions (Sequence[str]): Which of the two settings to measure. Defaults to both.
        num_trials (int): Seeded draws of the gallery. Defaults to 10.
    """

    def __init__(self, shots: int = 1, directions: Sequence[str] = DIRECTIONS, num_trials: int = 10):
        if shots < 1 or num_trials < 1:
            raise ValueError(f'Shots and trials start at 1, got shots={shots}, num_trials={num_trials}.')
        self.shots, self.directions, self.num_trials = shots, check_directions(directions), num_trials

    def describe(self) -> dict:
        """What a result must be published with."""
        return {
            'protocol': 'cross modality',
            'shots': self.shots,
            'directions': list(self.directions),
            'num_trials': self.num_trials,
        }

    def settings(self, table: FeatureTable) -> dict[str, Setting]:
        """Settings by direction. Raises ValueError where the table lacks a modality."""
        settings = {}
        for direction in self.directions:
            query, images = both_sides(table, direction)
            images = images[np.argsort(table.pids[images], kind='stable')]
            persons = np.split(images, np.flatnonzero(np.diff(table.pids[images])) + 1)
            trials = []
            for trial in range(self.num_trials):
                draws = np.random.default_rng(trial)
                gallery = [draws.choice(rows, min(self.shots, len(rows)), replace=False) for rows in persons]
                trials.append(Trial(query, np.concatenate(gallery)))
            settings[direction] = Setting(trials, 'seeded')
        return settings
