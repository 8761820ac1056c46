from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset

from tsgan.datasets.checks import image_error

MODALITIES = ('rgb', 'ir')
IMG_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.pgm', '.tif', '.tiff', '.webp')


class ReIDDataset(BaseDataset):
    """A checked table of visible and infrared images of people: the base class of every data set here.

    A subclass writes :meth:`load_records`; everything else reads the table. One row is

    ========== ====== ===========================================================================
    key        type   meaning
    ========== ====== ===========================================================================
    img_path   str    the file
    pid        int    identity number, as the data set itself numbers its identities
    camid      int    camera number, 1-based
    modality   str    'rgb' or 'ir'
    frame      int    the image's 1-based number within its camera's folder of this identity
    gt_label   int    class number, 0-based: the place of ``pid`` among the sorted pids of this table
    ========== ====== ===========================================================================

    Args:
        data_root (str): The data set's folder.
        pipeline (Sequence[dict | Callable]): Transforms. Defaults to (), which gives the row itself.
        modality (str, optional): Keep the images of this modality only, 'rgb' or 'ir'. Defaults to None: both.
        test_mode (bool): Whether the images are to be searched rather than trained on. A training set of both
            modalities must have both of every identity, a test set need not. Defaults to False.

    Raises:
        FileNotFoundError: If a folder or a list is missing, or an identity folder is empty.
        ValueError: If an argument or what a file says is wrong, or an identity lacks one modality.
    """

    def __init__(
        self,
        data_root: str,
        pipeline: Sequence[dict | Callable] = (),
        modality: str | None = None,
        test_mode: bool = False,
    ) -> None:
        if modality not in (None, *MODALITIES):
            raise ValueError(f"modality is {modality!r}: expected 'rgb', 'ir', or None for both")
        self.modality = modality
        super().__init__(data_root=str(data_root), pipeline=pipeline, test_mode=test_mode)

    def load_records(self) -> list[dict]:
        """Read the rows of the modalities in :attr:`wanted_modalities` from disk, all keys but ``gt_label``."""
        raise NotImplementedError

    @property
    def wanted_modalities(self) -> tuple[str, ...]:
        """tuple[str, ...]: The modalities that the table holds, 'rgb' first."""
        return MODALITIES if self.modality is None else (self.modality,)

    def load_data_list(self) -> list[dict]:
        """Read the rows, check them and number their classes.

        Returns:
            list[dict]: The table.
        """
        if not Path(self.data_root).is_dir():
            raise FileNotFoundError(f'{self.data_root} is no folder: expected the root of a {type(self).__name__}')
        records = self.load_records()
        if not records:
            raise FileNotFoundError(f'{self.data_root} holds no {" or ".join(self.wanted_modalities)} image to load')
        if self.modality is None and not self.test_mode:
            self._check_pairs(records)
        self._metainfo['data_root'] = self.data_root  # for the metric, which writes paths relative to it
        labels = {pid: label for label, pid in enumerate(sorted({record['pid'] for record in records}))}
        return [record | {'gt_label': labels[record['pid']]} for record in records]

    def _check_pairs(self, records: list[dict]) -> None:
        """Training pairs need an RGB and an IR image of every identity."""
        seen = {modality: {} for modality in MODALITIES}
        for record in records:
            seen[record['modality']].setdefault(record['pid'], record['img_path'])
        for modality, other in zip(MODALITIES, reversed(MODALITIES), strict=True):
            lacking = sorted(seen[other].keys() - seen[modality].keys())
            if lacking:
                raise ValueError(
                    f'{self.data_root} has no {modality} image of {len(lacking)} identities, such as that of '
                    f'{Path(seen[other][lacking[0]]).parent}: expected both modalities of each training identity '
                    f"(modality='{other}' trains on {other} images alone)"
                )

    def prepare_data(self, idx: int) -> dict:
        """Run the pipeline on one row.

        Args:
            idx (int): The row.

        Returns:
            dict: What the pipeline makes of it.

        Raises:
            ValueError: If the row's file is no image, or the pipeline drops it; names the file.
        """
        record = self.get_data_info(idx)
        path = record['img_path']
        try:
            data = self.pipeline(record)
        except Exception as error:
            reason = image_error(path)
            if reason is None:  # the image is sound, the pipeline is not
                raise
            raise ValueError(f'{path} is no image that can be read: {reason}') from error
        if data is None:  # MMEngine would take another image, and break the identity pairs of the batch
            raise ValueError(f'{path} was dropped by the pipeline: expected it to give back every image')
        return data

    def column(self, key: str) -> np.ndarray:
        """Read one column of the table, row by row: keep the result rather than asking again.

        Args:
            key (str): A key of the rows.

        Returns:
            np.ndarray: Shape (N, ): int64 for numbers, str for text.
        """
        return np.array([self.get_data_info(idx)[key] for idx in range(len(self))])

    @property
    def labels(self) -> np.ndarray:
        """np.ndarray: Class number of every image, int64, shape (N, )."""
        return self.column('gt_label')

    @property
    def modalities(self) -> np.ndarray:
        """np.ndarray: 'rgb' or 'ir' for every image, shape (N, )."""
        return self.column('modality')

    @property
    def pids(self) -> np.ndarray:
        """np.ndarray: The sorted identity numbers, int64, shape (num_ids, ); a class number is an index into it."""
        return np.unique(self.column('pid'))

    @property
    def num_ids(self) -> int:
        """int: How many identities, that is classes, the table holds."""
        return len(self.pids)


def list_images(folder: Path) -> list[Path]:
    """List the images of one identity.

    Args:
        folder (Path): An identity's folder; files that are no images by their extension, and hidden ones, are passed
            over.

    Returns:
        list[Path]: The images, sorted by name.

    Raises:
        FileNotFoundError: If there are none.
    """
    images = sorted(path for path in folder.iterdir() if _is_image(path))
    if not images:
        raise FileNotFoundError(
            f'{folder} holds no image: expected at least one of {" ".join(IMG_EXTENSIONS)} in an identity folder '
            '(remove the folder if this person was not seen)'
        )
    return images


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMG_EXTENSIONS and not path.name.startswith('.')


def camera_records(images: Iterable[tuple[int, Path]], pid: int, camid: int, modality: str) -> list[dict]:
    """Make the rows of one identity under one camera.

    Args:
        images (Iterable[tuple[int, Path]]): (frame, file) of each image.
        pid (int): Identity number.
        camid (int): Camera number, 1-based.
        modality (str): 'rgb' or 'ir'.

    Returns:
        list[dict]: The rows, without ``gt_label``.
    """
    return [
        {'img_path': str(path), 'pid': pid, 'camid': camid, 'modality': modality, 'frame': frame}
        for frame, path in images
    ]
