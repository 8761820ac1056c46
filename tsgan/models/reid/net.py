import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from tsgan.models.losses import at_least_float32
from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput, evaluating


@MODELS.register_module()
class ReIDNet(BaseModule):
    """Image -> maps -> V -> F: the student, and all that is needed at test (paper, Sec. III-B).

    Args:
        encoder (dict): Config of an encoder with two outputs, the middle and the final map.
        head (dict): Config of the head.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: When the head reads vectors of another length than the encoder's last map has channels.
    """

    def __init__(self, encoder: dict, head: dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.encoder = MODELS.build(encoder)
        self.map_channels = found = map_channels(self.encoder)
        if found and head['in_channels'] != found[-1]:
            raise ValueError(
                f'the last map of {type(self.encoder.backbone).__name__} has {found[-1]} channels, but '
                f'model.reid.head.in_channels is {head["in_channels"]}: set it, in the config or with `--cfg-options '
                f'model.reid.head.in_channels={found[-1]}`.'
            )
        self.head = MODELS.build(head)

    def forward(self, images: Tensor, is_rgb: Tensor | None = None) -> ReIDOutput:
        """Args:
            images (Tensor): (N, 3, H, W), RGB in [-1, 1]; of either modality.
            is_rgb (Tensor, optional): Which of them are RGB images, (N,) bool, for an encoder that has to know.
                Defaults to None.

        Returns:
            ReIDOutput: Maps, V, test feature, logits and branches of the N images.
        """
        mid_map, final_map = self.encoder(images, is_rgb)
        vector = final_map.mean(dim=(2, 3))  # (N, C, h, w) -> (N, C): global average pooling
        feature, logits, branches = self.head(vector)
        return ReIDOutput(mid_map, final_map, vector, feature, at_least_float32(logits), branches)


@torch.no_grad()
def map_channels(encoder: nn.Module) -> list[int] | None:
    """Channels of each of an encoder's maps, by having it look at one small image.

    None where it takes no such image (windows, or a size of its own) or gives something else than maps (tokens): then
    the first batch shows whether what reads them fits.
    """
    try:
        with evaluating(encoder):
            maps = encoder(torch.zeros(1, 3, 64, 64), torch.tensor([True]))
    except (AssertionError, RuntimeError, ValueError):  # as backbones refuse a size
        return None
    return [m.shape[1] for m in maps] if all(m.dim() == 4 for m in maps) else None
