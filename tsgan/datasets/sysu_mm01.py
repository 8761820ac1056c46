import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tsgan.datasets.files import list_images, missing, numbered_folders, refuse_images_below
from tsgan.datasets.lists import read_ids
from tsgan.datasets.reid_dataset import ReIDDataset, camera_records
from tsgan.registry import DATASETS


@DATASETS.register_module()
class SYSUMM01(ReIDDataset):
    """SYSU-MM01, and anything in its layout (Wu et al., "RGB-Infrared Cross-Modality Person Re-Identification",
    ICCV 2017; the authors give the images out on request).

    .. code-block:: none

        data_root/
        |-- cam1 ... cam6/        cameras 1 2 4 5 are visible, 3 and 6 infrared
        |   `-- 0001/             identity, four digits; absent where this camera did not see it
        |       `-- 0001.jpg      frame, which the official sampling of galleries counts on
        `-- exp/
            `-- train_id.txt val_id.txt test_id.txt      one line of identity numbers, separated by commas

    ======= ==== =========================================================================================
    split    ids  use
    ======= ==== =========================================================================================
    train    296  the official training identities
    val       99  the official validation identities, which cameras 3, 4 and 5 alone saw
    test      96  probes (cameras 3 and 6) and galleries (1 2 4 5) in one table; the protocol picks from it
    ======= ==== =========================================================================================

    Published results train on ``train+val``, 395 identities.

    Args:
        data_root (str): The folder above.
        split (str): Names joined by ``+``, each naming a list ``exp/<name>_id.txt``. Defaults to 'train+val'.
        pipeline (Sequence[dict | Callable]): Transforms. Defaults to ().
        modality (str, optional): Keep the images of this modality only, 'rgb' or 'ir'. Defaults to None: both.
        test_mode (bool): Whether the images are to be searched rather than trained on. Defaults to False.
        value_range (dict[str, tuple[float, float]], optional): See :class:`ReIDDataset`. Defaults to None.

    Raises:
        FileNotFoundError: If a folder or a list is missing, an identity folder is empty, or a listed identity has none.
        ValueError: If a list is malformed, a frame is not named by its number or comes twice, images lie in a folder
            that is no identity's or no camera's, or a training identity lacks one modality.
    """

    CAMERAS = {'rgb': (1, 2, 4, 5), 'ir': (3, 6)}
    TRAINING = {'split': 'train'}

    def __init__(
        self,
        data_root: str,
        split: str = 'train+val',
        pipeline: Sequence[dict | Callable] = (),
        modality: str | None = None,
        test_mode: bool = False,
        value_range: dict[str, tuple[float, float]] | None = None,
    ) -> None:
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
        cameras = {}
        for cam in range(1, 7):
            if not (root / f'cam{cam}').is_dir():
                raise missing(root / f'cam{cam}', 'SYSU-MM01 with cam1 to cam6 there')
            cameras[cam] = numbered_folders(root / f'cam{cam}')
        for folder in sorted(root.glob('cam*')):
            if folder.is_dir() and folder.name not in {f'cam{cam}' for cam in cameras}:
                refuse_images_below(folder, 'SYSU-MM01 with cam1 to cam6 alone')
        pids = sorted({pid for name in self.split.split('+') for pid in read_ids(root / 'exp' / f'{name}_id.txt')})

        records = []
        for pid in pids:
            folders = {cam: identities[pid] for cam, identities in cameras.items() if pid in identities}
            if not folders:
                raise FileNotFoundError(
                    f'{root} has no folder cam*/{pid:04d}: expected identity {pid} of split {self.split!r} under at '
                    'least one camera'
                )
            for modality in self.wanted_modalities:
                for cam in self.CAMERAS[modality]:
                    if cam in folders:
                        records += camera_records(self._frames(folders[cam]), pid, cam, modality)
        return records

    @staticmethod
    def _frames(folder: Path) -> list[tuple[int, str]]:
        frames = {}
        for path in list_images(folder):
            number = os.path.splitext(os.path.basename(path))[0]
            if not (number.isdecimal() and int(number) > 0):
                raise ValueError(f'{path} is not named by its frame: expected a number from 1 up, such as 0001.jpg')
            other = frames.setdefault(int(number), path)
            if other != path:
                raise ValueError(f'{path} and {other} are both frame {int(number)}: expected one image of a frame')
        return list(frames.items())
