from collections.abc import Sequence

from ..features import FeatureTable
from .base import (
    DIRECTIONS,
    Setting,
    Trial,
    both_sides,
    check_directions,
    check_frames,
    draw_one_per_folder,
    folders,
    same_identity_and_camera,
)
from .layouts import check_cameras, check_counts


class LLCMProtocol:
    """LLCM's protocol: all images of one modality are queries, the gallery is one image per identity and camera.

    The settings are the directions `ir_to_rgb` and `rgb_to_ir`. The gallery of trial t is drawn as the published code
    does (`random.seed(t)`, then `random.choice` for each identity and camera). A query never sees an image of its own
    identity and camera. CMC counts identities.

    The roles hold in both directions. The published code swaps them in one: asked for visible queries, it has the drawn
    infrared images search all visible ones, so its figures for that direction are of another task than `rgb_to_ir`.

    Args:
        directions (Sequence[str]): Which of the two settings to measure. Defaults to both.
        num_trials (int): Seeded draws of the gallery. Defaults to 10.

    Source: Zhang and Wang, CVPR 2023 (DEEN).
    """

    TEST_IDS = 351

    def __init__(self, directions: Sequence[str] = DIRECTIONS, num_trials: int = 10):
        self.directions = check_directions(directions)
        if num_trials < 1:
            raise ValueError(f'Trials start at 1, got num_trials={num_trials}.')
        self.num_trials = num_trials

    def describe(self) -> dict:
        """What a result must be published with."""
        return {'protocol': 'LLCM', 'directions': list(self.directions), 'num_trials': self.num_trials}

    def settings(self, table: FeatureTable) -> dict[str, Setting]:
        """Settings by direction, with a warning for another number of identities than LLCM's.

        Raises:
            ValueError: The table lacks a modality or frame numbers, or its cameras cannot be LLCM's.
        """
        settings = {}
        for direction in self.directions:
            query, images = both_sides(table, direction)
            check_cameras('LLCM', table)
            groups = list(folders(table, images))
            check_frames(table, groups)
            trials = [Trial(query, draw_one_per_folder(groups, trial)) for trial in range(self.num_trials)]
            settings[direction] = Setting(trials, 'seeded', dedupe=True, exclude=same_identity_and_camera)
        check_counts('LLCM', table, self.TEST_IDS)
        return settings
