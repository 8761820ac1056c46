import numpy as np

from ..features import FeatureTable
from .base import Setting, Trial, folders, rows_of, same_identity_and_camera


class SingleModalityProtocol:
    """Search within one modality (Table III): one query per identity and camera, all other images are gallery.

    CMC counts images. One setting, `single_modality`.

    Args:
        modality (str): 'rgb' or 'ir'.
        num_trials (int): Seeded draws of the queries. Defaults to 10.
        across_cameras (bool): Hide gallery images of the query's identity *and* camera. Defaults to True; False is for
            one's own images, where no camera is known.
    """

    def __init__(self, modality: str, num_trials: int = 10, across_cameras: bool = True):
        if modality not in ('rgb', 'ir') or num_trials < 1:
            raise ValueError(f"modality is 'rgb' or 'ir' and num_trials at least 1, not {modality!r}, {num_trials}.")
        self.modality, self.across_cameras, self.num_trials = modality, across_cameras, num_trials

    def describe(self) -> dict:
        """What a result must be published with."""
        return {
            'protocol': 'single modality',
            'modality': self.modality,
            'across_cameras': self.across_cameras,
            'num_trials': self.num_trials,
        }

    def settings(self, table: FeatureTable) -> dict[str, Setting]:
        """The setting by its name. Raises ValueError where the table has no image of the modality."""
        images = rows_of(table, self.modality)
        trials = []
        for trial in range(self.num_trials):
            draws = np.random.default_rng(trial)
            query = np.array([draws.choice(rows) for _, _, rows in folders(table, images)])
            trials.append(Trial(query, np.setdiff1d(images, query)))
        exclude = same_identity_and_camera if self.across_cameras else None
        return {'single_modality': Setting(trials, 'seeded', exclude=exclude)}
