from collections.abc import Sequence

from ..features import FeatureTable
from .base import DIRECTIONS, Setting, Trial, both_sides, check_directions
from .layouts import check_cameras, check_counts


class RegDBProtocol:
    """RegDB's protocol, for the test images of one of its ten splits: all of one modality search all of the other.

    The settings are the directions, `rgb_to_ir` (visible to thermal) and `ir_to_rgb` (thermal to visible). Nothing is
    excluded, nothing is drawn; CMC counts images. Published results are means over ten splits, a model each.

    Args:
        directions (Sequence[str]): Which of the two settings to measure. Defaults to both.

    Source: Ye et al., AAAI 2018 (the splits) and TPAMI 2021 (AGW, the evaluation code).
    """

    TEST_IDS, IMAGES = 206, 10  # of a split; of each of them in each modality

    def __init__(self, directions: Sequence[str] = DIRECTIONS):
        self.directions = check_directions(directions)

    def describe(self) -> dict:
        """What a result must be published with."""
        return {'protocol': 'RegDB', 'directions': list(self.directions)}

    def settings(self, table: FeatureTable) -> dict[str, Setting]:
        """Settings by direction, with a warning for other numbers of identities and images than a split's.

        Raises:
            ValueError: The table lacks a modality, or has more cameras than RegDB's one of each.
        """
        settings = {
            direction: Setting([Trial(*both_sides(table, direction))], 'all images') for direction in self.directions
        }
        check_cameras('RegDB', table)
        check_counts('RegDB', table, self.TEST_IDS, self.IMAGES)
        return settings
