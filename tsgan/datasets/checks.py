"""Find the files that are no images before they stop a training run."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import mmcv
from PIL import Image
from rich.progress import track

if TYPE_CHECKING:
    from tsgan.datasets.reid_dataset import ReIDDataset


def image_error(path: str) -> str | None:
    """Say why a file cannot be used as an image.

    Args:
        path (str): The file.

    Returns:
        str | None: The reason in a few words, or None for a file that decodes completely.
    """
    try:
        # Pillow refuses a JPEG that is cut off; OpenCV, which the pipelines read with, fills it with gray up to 4.10.
        with Image.open(path) as image:
            image.load()
        if mmcv.imread(path, backend='cv2') is None:
            return 'OpenCV cannot decode it'
    except Exception as error:
        return f'{type(error).__name__}: {" ".join(str(error).split())}'
    return None


def check_images(dataset: 'ReIDDataset') -> None:
    """Decode every image of a data set, on all cores, with a progress bar.

    Args:
        dataset (ReIDDataset): The data set; its pipeline is not run.

    Raises:
        ValueError: If any file is no complete image; names the first ten and how many there are.
    """
    paths = dataset.column('img_path').tolist()
    with ThreadPoolExecutor() as pool:  # threads do: both decoders release the GIL
        errors = list(track(pool.map(image_error, paths), description='Checking images', total=len(paths)))
    bad = [f'{path} ({error})' for path, error in zip(paths, errors, strict=True) if error]
    if bad:
        rest = f'\n  and {len(bad) - 10} more' if len(bad) > 10 else ''
        raise ValueError(
            f'{len(bad)} of {len(paths)} files of the data set in {dataset.data_root} are no complete images:\n  '
            + '\n  '.join(bad[:10])
            + rest
        )
