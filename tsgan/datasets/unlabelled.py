from pathlib import Path

from tsgan.datasets.files import missing
from tsgan.datasets.loose_images import find_images
from tsgan.datasets.reid_dataset import ReIDDataset, camera_records
from tsgan.registry import DATASETS


@DATASETS.register_module()
class UnlabelledFolder(ReIDDataset):
    """Images of people whom nobody has named: one folder a modality, to train on without identities.

    .. code-block:: none

        data_root/
        |-- rgb/*.jpg      any names, and any folders in it, whose names say nothing
        `-- ir/*.png

    ``pid`` is 0 everywhere. ``camid`` is 1 for RGB and 2 for IR. ``frame`` counts the files of a modality in sorted
    order. Whom a model has seen is not known, so that no test of it can be refused for that: test it on images of
    another place or day.

    Args:
        data_root, pipeline, modality, test_mode, value_range: See :class:`ReIDDataset`.

    Raises:
        FileNotFoundError: If a folder is missing or holds no image.
        ValueError: See :class:`ReIDDataset`.
    """

    KNOWS_IDENTITIES = False
    CAMIDS = {'rgb': 1, 'ir': 2}

    def load_records(self) -> list[dict]:
        records = []
        for modality in self.wanted_modalities:
            folder = Path(self.data_root) / modality
            if not folder.is_dir():
                raise missing(folder, f'{modality}/<image> there')
            frames = enumerate((image.row.path for image in find_images(folder)), start=1)
            records += camera_records(frames, 0, self.CAMIDS[modality], modality)
        return records

    @property
    def identities(self) -> set[str]:
        """set[str]: Nobody."""
        return set()
