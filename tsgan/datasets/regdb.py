from collections.abc import Callable, Sequence
from pathlib import Path

from tsgan.datasets.lists import listed_records, read_images
from tsgan.datasets.reid_dataset import ReIDDataset
from tsgan.registry import DATASETS


@DATASETS.register_module()
class RegDB(ReIDDataset):
    """RegDB (Nguyen et al., "Person Recognition System Based on a Combination of Body Images from Visible Light and
    Thermal Cameras", Sensors 2017; given out on request), in the ten splits that published results are means over.

    .. code-block:: none

        data_root/
        |-- Visible/1/male_front_v_00007_1.bmp     one visible camera,
        |-- Thermal/1/male_front_t_00190_1.bmp     one thermal camera; ten images an identity by each
        `-- idx/
            `-- train_visible_1.txt train_thermal_1.txt test_visible_1.txt test_thermal_1.txt ... test_thermal_10.txt
                a line an image: path, space, label

    Each split trains on 206 identities and tests on the 206 others, and each has a model of its own. ``pid`` is the
    label in the list: identities of ``train`` and ``test`` share numbers, and are other people. ``camid`` is 1 for
    visible and 2 for thermal. ``frame`` counts the images of an identity in the list's order.

    Args:
        data_root (str): The folder above.
        split (int): Which of the ten splits, 1 to 10. Defaults to 1.
        subset (str): 'train' or 'test'. Defaults to 'train'.
        pipeline (Sequence[dict | Callable]): Transforms. Defaults to ().
        modality (str, optional): Keep the images of this modality only, 'rgb' or 'ir'. Defaults to None: both.
        test_mode (bool): Whether the images are to be searched rather than trained on. Defaults to False.
        value_range (dict[str, tuple[float, float]], optional): See :class:`ReIDDataset`. Defaults to None.

    Raises:
        FileNotFoundError: If a list, or an image that it lists, is missing.
        ValueError: If the split or the subset is unknown, a list is malformed, or a training identity lacks one
            modality.
    """

    CAMERAS = {'rgb': ('visible', 1), 'ir': ('thermal', 2)}
    TRAINING = {'subset': 'train'}

    def __init__(
        self,
        data_root: str,
        split: int = 1,
        subset: str = 'train',
        pipeline: Sequence[dict | Callable] = (),
        modality: str | None = None,
        test_mode: bool = False,
        value_range: dict[str, tuple[float, float]] | None = None,
    ) -> None:
        if split not in range(1, 11):
            raise ValueError(f'split is {split!r}: expected the number of one of the ten splits of RegDB, 1 to 10')
        if subset not in ('train', 'test'):
            raise ValueError(f"subset is {subset!r}: expected 'train' or 'test'")
        self.split = split
        self.subset = subset
        super().__init__(
            data_root=data_root,
            pipeline=pipeline,
            modality=modality,
            test_mode=test_mode,
            value_range=value_range,
        )

    def load_records(self) -> list[dict]:
        root = Path(self.data_root)
        records = []
        for modality in self.wanted_modalities:
            name, camid = self.CAMERAS[modality]
            images = read_images(root, root / 'idx' / f'{self.subset}_{name}_{self.split}.txt')
            records += listed_records([(image, pid, camid) for image, pid in images], modality)
        return records

    def identity_name(self, record: dict) -> str:
        return Path(record['img_path']).parent.name  # labels are counted anew in each list
