import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from tsgan.models.losses import at_least_float32
from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput, evaluating

from .parts import parts_by_name


@MODELS.register_module()
class ReIDNet(BaseModule):
    """Image -> maps -> V -> F: the student, and all that is needed at test (paper, Sec. III-B).

    Args:
        encoder (dict): Config of an encoder with two outputs, the middle and the final map.
        head (dict, optional): Config of the head on V. None leaves everything to the heads of parts.
        pooling (dict, optional): Config of what makes V of the final map, (N, C, h, w) -> (N, C), as
            ``mmpretrain.GeneralizedMeanPooling``. Defaults to None, the average over positions.
        parts (dict, optional): Config of heads on parts of the final map, see :class:`StripeHeads`. What is compared at
            test are then the features of whole and parts, joined. Defaults to None.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: When there is no head at all, or one reads vectors of another length than the encoder's last map
            has channels.
    """

    def __init__(
        self,
        encoder: dict,
        head: dict | None,
        pooling: dict | None = None,
        parts: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not head and not parts:
            raise ValueError('ReIDNet has neither a head nor parts: expected one of them, or both.')
        self.encoder = MODELS.build(encoder)
        self.map_channels = map_channels(self.encoder)
        for name, cfg in (('head', head), ('parts', parts)):
            if cfg and self.map_channels:
                self.check_length(name, cfg['in_channels'], self.map_channels[-1])
        self.pooling = pooling and MODELS.build(pooling)
        self.head = head and MODELS.build(head)
        self.parts = parts and MODELS.build(parts)

    def check_length(self, name: str, given: int, channels: int) -> None:
        """Raises ValueError when what stands in the config as ``name`` reads other vectors than those of the last map.

        Args:
            name (str): 'head' or 'parts'.
            given (int): Length of the vectors that it reads.
            channels (int): Channels of the encoder's last map.
        """
        if given != channels:
            raise ValueError(
                f'the last map of {type(self.encoder.backbone).__name__} has {channels} channels, but '
                f'model.reid.{name}.in_channels is {given}: set it, in the config or with `--cfg-options '
                f'model.reid.{name}.in_channels={channels}`.'
            )

    def forward(self, images: Tensor, is_rgb: Tensor | None = None) -> ReIDOutput:
        """Args:
            images (Tensor): (N, 3, H, W), RGB in [-1, 1]; of either modality.
            is_rgb (Tensor, optional): Which of them are RGB images, (N,) bool, for an encoder that has to know.
                Defaults to None.

        Returns:
            ReIDOutput: Maps, V, test feature, logits, branches and parts of the N images.
        """
        mid_map, final_map = self.encoder(images, is_rgb)
        parts = self.parts(final_map) if self.parts else ()
        if self.head is None:
            vector, feature = (torch.cat(vectors, dim=1) for vectors in list(zip(*parts, strict=True))[:2])
            return ReIDOutput(mid_map, final_map, vector, feature, None, parts_by_name(parts), parts)
        vector, extras = self.pool(final_map)
        feature, logits, branches = self.head(vector)
        logits = None if logits is None else at_least_float32(logits)
        if parts:
            branches = branches | {'whole': feature} | parts_by_name(parts)
            feature = torch.cat([feature, *(part.feature for part in parts)], dim=1)  # (N, C + sum of C_i)
        return ReIDOutput(mid_map, final_map, vector, feature, logits, branches, parts, extras)

    def pool(self, final_map: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """V of the final map, and what else comes of it that losses need; the seam for a pooling with results of its
        own.

        Args:
            final_map (Tensor): (N, C, h, w); or (N, C), as of a transformer's class token, which is V already.

        Returns:
            tuple[Tensor, dict[str, Tensor]]: V, (N, C), and extras by name.

        Raises:
            ValueError: When there is a pooling, and nothing for it to pool.
        """
        if final_map.dim() == 2:
            if self.pooling:
                raise ValueError(
                    f"the backbone gives vectors {tuple(final_map.shape)}, as a transformer's class token is, which "
                    'are V already: expected model.reid.pooling=None.'
                )
            return final_map, {}
        return final_map.mean(dim=(2, 3)) if self.pooling is None else self.pooling(final_map), {}


@torch.no_grad()
def map_channels(encoder: nn.Module) -> list[int] | None:
    """Channels of each of an encoder's maps, by having it look at one small image, or one of the size that it names.

    Of class tokens, (N, C), too. None where it takes no such image (windows) or gives something else (all tokens): then
    the first batch shows whether what reads them fits.
    """
    height, width = getattr(encoder.backbone, 'img_size', (64, 64))  # a ViT takes no other
    try:
        with evaluating(encoder):
            maps = encoder(torch.zeros(1, 3, height, width), torch.tensor([True]))
    except (AssertionError, RuntimeError, ValueError):  # as backbones refuse a size
        return None
    return [m.shape[1] for m in maps] if all(m.dim() in (2, 4) for m in maps) else None
