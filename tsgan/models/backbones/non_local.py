from collections import OrderedDict

from mmcv.cnn import NonLocal2d
from mmengine.model import Sequential
from torch import Tensor, nn


class NonLocalBlock(NonLocal2d):
    """What every position of a map takes from all others, added to it; the identity at first.

    x + BN(W y) with y_i = 1/P sum_j (theta(x_i)^T phi(x_j)) g(x_j) over the P positions; theta, phi, g and W are 1x1
    convolutions. No softmax, so that the sum over j, sum_j g(x_j) phi(x_j)^T / P of C' x C', is made once for all i.

    Source: Wang et al., "Non-local Neural Networks", CVPR 2018, "dot product"; as in Ye et al., "Deep Learning for
    Person Re-identification: A Survey and Outlook", TPAMI 2021 (AGW), with the weight of BN 0 at the start.

    Args:
        in_channels (int): C, channels of the map.
        reduction (int, optional): C / C', C' being the channels of theta, phi and g. Defaults to None: C' = 1.
    """

    def __init__(self, in_channels: int, reduction: int | None = None) -> None:
        super().__init__(in_channels, reduction=reduction or in_channels, norm_cfg=dict(type='BN'), mode='dot_product')

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W); unlike mmcv's, also of no image, N = 0, and linear in positions."""
        theta, phi, g = (conv(x).flatten(2) for conv in (self.theta, self.phi, self.g))  # (N, C', P)
        y = (g / g.shape[2]) @ phi.transpose(1, 2) @ theta  # (N, C', C') @ (N, C', P)
        return x + self.conv_out(y.unflatten(2, x.shape[2:]))


def with_non_local(stage: nn.Sequential, last: int, reduction: int | None) -> Sequential:
    """A stage with a non-local block behind each of its ``last`` residual blocks, which keep their names.

    Behind block 2, it is called ``non_local2``.
    """
    parts = OrderedDict()
    for name, block in stage.named_children():
        parts[name] = block
        if int(name) >= len(stage) - last:
            parts[f'non_local{name}'] = NonLocalBlock(block.out_channels, reduction)
    return Sequential(parts)  # MMEngine's, which has its children initialise themselves
