import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tsgan.datasets.files import list_images, missing, numbered_folders
from tsgan.datasets.lists import listed_records, read_ids, read_images
from tsgan.datasets.reid_dataset import MODALITIES, ReIDDataset, camera_records
from tsgan.registry import DATASETS


@DATASETS.register_module()
class LLCM(ReIDDataset):
    """LLCM (Zhang and Wang, "Diverse Embedding Expansion Network and Low-Light Cross-Modality Benchmark for
    Visible-Infrared Person Re-identification", CVPR 2023; the authors give the images out on request).

    .. code-block:: none

        data_root/
        |-- vis/0001/0001_c01_s185535_f7010_vis.jpg     training images; the camera is the number after _c
        |-- nir/0001/0001_c01_s185535_f7010_nir.jpg
        |-- test_vis/cam1 ... cam9/                     test images; a camera has one number in both modalities
        |-- test_nir/cam1 cam2 cam4 ... cam9/
        |   `-- 0004/*.jpg                              identity, four digits; absent where this camera did not see it
        `-- idx/
            |-- train_vis.txt train_nir.txt             a line an image: path, space, label
            `-- test_id.txt                             one line of identity numbers, separated by commas

    Of the 1,064 identities, 713 train and 351 test. ``pid`` is the label in the list for ``train``, the folder's number
    for ``test``. ``frame`` counts the images of an identity and camera, in the list's order for ``train``, sorted by
    name for ``test``: the order from which published galleries are drawn.

    Args:
        data_root (str): The folder above.
        split (str): 'train' or 'test'. Defaults to 'train'.
        pipeline (Sequence[dict | Callable]): Transforms. Defaults to ().
        modality (str, optional): Keep the images of this modality only, 'rgb' or 'ir'. Defaults to None: both.
        test_mode (bool): Whether the images are to be searched rather than trained on. Defaults to False.
        value_range (dict[str, tuple[float, float]], optional): See :class:`ReIDDataset`. Defaults to None.

    Raises:
        FileNotFoundError: If a folder, a list, or an image that it lists is missing, an identity folder is empty, or a
            test identity has none.
        ValueError: If the split is unknown, a list is malformed, a training image's name does not tell its camera, test
            images lie in a folder that is no identity's, or a training identity lacks one modality.
    """

    NAMES = {'rgb': 'vis', 'ir': 'nir'}
    CAMERAS = {'rgb': (1, 2, 3, 4, 5, 6, 7, 8, 9), 'ir': (1, 2, 4, 5, 6, 7, 8, 9)}
    TRAINING = {'split': 'train'}

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        pipeline: Sequence[dict | Callable] = (),
        modality: str | None = None,
        test_mode: bool = False,
        value_range: dict[str, tuple[float, float]] | None = None,
    ) -> None:
        if split not in ('train', 'test'):
            raise ValueError(f"split is {split!r}: expected 'train' or 'test'")
        self.split = split
        super().__init__(
            data_root=data_root,
            pipeline=pipeline,
            modality=modality,
            test_mode=test_mode,
            value_range=value_range,
        )

    def load_records(self) -> list[dict]:
        root = Path(self.data_root)
        return self._train_records(root) if self.split == 'train' else self._test_records(root)

    def _train_records(self, root: Path) -> list[dict]:
        records = []
        for modality in self.wanted_modalities:
            images = read_images(root, root / 'idx' / f'train_{self.NAMES[modality]}.txt')
            records += listed_records([(image, pid, self._camera(image)) for image, pid in images], modality)
        return records

    def _test_records(self, root: Path) -> list[dict]:
        cameras = [(modality, cam) for modality in MODALITIES for cam in self.CAMERAS[modality]]
        folders = {(modality, cam): root / f'test_{self.NAMES[modality]}' / f'cam{cam}' for modality, cam in cameras}
        identities = {}
        for camera, folder in folders.items():
            if not folder.is_dir():
                raise missing(folder, 'LLCM with test_vis/cam1 to cam9, and test_nir/cam1 to cam9 but cam3')
            identities[camera] = numbered_folders(folder)
        records = []
        for pid in sorted(set(read_ids(root / 'idx' / 'test_id.txt'))):
            seen = {camera: folders[pid] for camera, folders in identities.items() if pid in folders}
            if not seen:
                raise FileNotFoundError(
                    f'{root} has no folder test_*/cam*/{pid:04d}: expected test identity {pid} under at least one '
                    'camera'
                )
            for (modality, cam), folder in seen.items():
                if modality in self.wanted_modalities:
                    records += camera_records(enumerate(list_images(folder), start=1), pid, cam, modality)
        return records

    def identity_name(self, record: dict) -> str:
        return f'{self.split}-{record["pid"]}'  # each list has numbers of its own, of other people

    @staticmethod
    def _camera(path: Path) -> int:
        match = re.search(r'_c(\d+)_', path.name)
        if not match:
            raise ValueError(f'{path} does not tell its camera: expected a name such as 0001_c01_s185535_f7010_vis.jpg')
        return int(match[1])
