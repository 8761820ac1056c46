from mmcv.transforms import BaseTransform

from tsgan.images import read_image
from tsgan.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadReIDImage(BaseTransform):
    """Read the image of a row, with eight bits a value.

    Files of eight bits come as ``LoadImageFromFile`` reads them. Those of more, as thermal cameras write them, are
    scaled by the range that the data set puts into the row.

    Required keys: img_path, and value_range for images of more than eight bits. Added keys: img (uint8, BGR, shape
    (H, W, 3)), img_shape, ori_shape (both (H, W)).
    """

    def transform(self, results: dict) -> dict:
        """Add the image.

        Args:
            results (dict): A row of a :class:`~tsgan.datasets.ReIDDataset`.

        Returns:
            dict: The row and the keys above.

        Raises:
            ValueError: If the file is no image, or has more than eight bits and the row no range.
        """
        results['img'] = read_image(results['img_path'], results.get('value_range'))
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results
