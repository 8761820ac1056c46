import cv2
import numpy as np
from skimage.feature import hog
from torch import nn

from tsgan.registry import MODELS


@MODELS.register_module()
class HOG(nn.Module):
    """Histograms of oriented gradients (Dalal and Triggs, CVPR 2005) of the gray image, computed by scikit-image.

    9 unsigned orientations, cells of 8 x 8 pixels, blocks of 2 x 2 cells in steps of a cell, L2-Hys, no gamma. Unlike
    the paper's, votes are not shared between neighbouring cells or orientations, and all pixels of a block weigh alike.
    Has no parameters.
    """

    def forward(self, image: np.ndarray) -> np.ndarray:
        """Args:
            image (np.ndarray): (H, W, 3) uint8, RGB; H and W at least 16, of which whole cells are taken.

        Returns:
            np.ndarray: (D,) float32; of a 128 x 64 image, 15 x 7 blocks x 4 cells x 9 orientations = 3780.

        Raises:
            ValueError: When the image is smaller than a block.
        """
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        settings = dict(orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), block_norm='L2-Hys')
        return hog(gray, **settings).astype(np.float32)
