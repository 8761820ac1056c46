"""Losses of a ReID network's output, made of losses of tensors."""

import torch
from torch import Tensor, nn

from tsgan.registry import MODELS
from tsgan.structures import PartOutput, ReIDOutput


class OnOutput(nn.Module):
    """Reads one field of what a network says of the whole image, of its parts, or of both.

    Args:
        loss (dict): Config of the loss.
        of (str): 'whole', V and its classifier; 'parts', mean over what the heads of parts say; 'both', the sum of
            these two. Defaults to 'whole'.

    Raises:
        ValueError: When ``of`` is another; in training, when the network has no such output.
    """

    OF = ('whole', 'parts', 'both')

    def __init__(self, loss: dict, of: str = 'whole') -> None:
        super().__init__()
        if of not in self.OF:
            raise ValueError(f'of of {type(self).__name__} is one of {self.OF}, not {of!r}.')
        self.loss = MODELS.build(loss)
        self.of = of

    def one(self, said: ReIDOutput | PartOutput, labels: Tensor, is_rgb: Tensor | None) -> Tensor | dict[str, Tensor]:
        """The loss of the whole or of one part."""
        raise NotImplementedError

    def forward(self, output: ReIDOutput, labels: Tensor, is_rgb: Tensor | None) -> Tensor | dict[str, Tensor]:
        """Args:
            output (ReIDOutput): Of N images.
            labels (Tensor): Identities, (N,).
            is_rgb (Tensor, optional): Which of them are RGB images, (N,) bool.

        Returns:
            Tensor | dict[str, Tensor]: The loss, a scalar; or what the loss gives, by name, the loss as ``loss``.
        """
        if self.of == 'whole':
            return self.one(output, labels, is_rgb)
        if not output.parts:
            raise ValueError(
                f"{type(self).__name__}(of='{self.of}') needs a network with heads of parts: give model.reid.parts."
            )
        parts = mean_of([self.one(part, labels, is_rgb) for part in output.parts])
        return parts if self.of == 'parts' else sum_of([self.one(output, labels, is_rgb), parts])


@MODELS.register_module()
class OnLogits(OnOutput):
    """A loss of (logits, labels), such as mmpretrain's cross-entropies, on what a classifier says."""

    def one(self, said: ReIDOutput | PartOutput, labels: Tensor, is_rgb: Tensor | None) -> Tensor:
        """The loss of one classifier's logits, (N, num_classes)."""
        if said.logits is None:
            raise ValueError("OnLogits: the network has no classifier of the whole image; expected of='parts'.")
        return self.loss(said.logits, labels)


@MODELS.register_module()
class OnVectors(OnOutput):
    """A loss of (vectors, labels, is_rgb), such as a triplet loss, on V."""

    def one(self, said: ReIDOutput | PartOutput, labels: Tensor, is_rgb: Tensor | None) -> Tensor | dict[str, Tensor]:
        """The loss of vectors, (N, C)."""
        return self.loss(said.vector, labels, is_rgb)


def named(loss: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    """What a loss gave, by name: the loss itself is ``loss``."""
    return loss if isinstance(loss, dict) else {'loss': loss}


def mean_of(losses: list[Tensor | dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several losses, name by name."""
    return {key: torch.stack([named(loss)[key] for loss in losses]).mean() for key in named(losses[0])}


def sum_of(losses: list[Tensor | dict[str, Tensor]]) -> dict[str, Tensor]:
    """The sum of several losses; of what is only logged, the mean."""
    return mean_of(losses) | {'loss': torch.stack([named(loss)['loss'] for loss in losses]).sum()}
