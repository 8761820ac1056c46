import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from tsgan.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ChannelExchange(BaseTransform):
    """Make a visible image look as one band sees it: one of its channels, or its gray, in the place of all three.

    Of *Channel Augmented Joint Learning* (Ye et al., ICCV 2021; mangye16/Cross-Modal-Re-ID-baseline):

    .. code-block:: python

        dict(type='ChannelExchange')                                    # its ChannelExchange, of the second view
        dict(type='ChannelExchange', channel_prob=0.75, gray_prob=0.125)    # its ChannelAdapGray(0.5), of infrared
        dict(type='ChannelExchange', channel_prob=0.75, gray_prob=0.15)     # and ChannelAdapGray(0.6), of CAJ+

    The published code exchanges normalised values; this, pixels. So an infrared image, whose channels are equal, stays
    as it is but for what was erased in it with another value for each channel.

    Required key and modified key: img (uint8, BGR, shape (H, W, 3)).

    Args:
        channel_prob (float): Probability that one channel, each as likely as the others, is copied to all three.
            Defaults to 1.0.
        gray_prob (float): Probability that the gray, 0.299 R + 0.587 G + 0.114 B, is. In what both leave, the image
            stays as it is. Defaults to 0.0.

    Raises:
        ValueError: If the two are no probabilities of events that exclude each other.
    """

    def __init__(self, channel_prob: float = 1.0, gray_prob: float = 0.0) -> None:
        if min(channel_prob, gray_prob) < 0 or channel_prob + gray_prob > 1:
            raise ValueError(
                f'ChannelExchange has channel_prob={channel_prob} and gray_prob={gray_prob}: expected two '
                'probabilities whose sum is at most 1'
            )
        self.channel_prob = channel_prob
        self.gray_prob = gray_prob

    def transform(self, results: dict) -> dict:
        """Exchange the channels of the image, or leave them.

        Args:
            results (dict): With ``img``.

        Returns:
            dict: The same, with another ``img``.
        """
        image, draw = results['img'], np.random.rand()
        if draw < self.channel_prob:
            single = image[..., np.random.randint(3)]  # (H, W)
        elif draw < self.channel_prob + self.gray_prob:
            single = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)  # rounds, and leaves a gray image as it is
        else:
            return results
        results['img'] = in_all_channels(single)
        return results


def in_all_channels(single: np.ndarray) -> np.ndarray:
    """One channel in the place of all three, (H, W) -> (H, W, 3)."""
    return np.repeat(single[..., None], 3, axis=2)
