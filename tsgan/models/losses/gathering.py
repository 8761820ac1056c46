import torch
import torch.distributed.nn.functional as dist_functional
from mmengine.dist import all_gather, get_world_size
from torch import Tensor


def gathered(vectors: Tensor, labels: Tensor, is_rgb: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """The batch of all ranks together, the same on each; gradients flow back to the rank a vector came from.

    Gradients, averaged over ranks, are then those of one process on the whole batch.

    Args:
        vectors (Tensor): (N, C); every rank holds the same number.
        labels (Tensor): Identities, (N,).
        is_rgb (Tensor, optional): Which of them are of RGB images, (N,) bool.

    Returns:
        tuple[Tensor, Tensor, Tensor | None]: (ranks * N, C), (ranks * N,), and (ranks * N,) or None.
    """
    if get_world_size() == 1:
        return vectors, labels, is_rgb
    vectors = torch.cat(dist_functional.all_gather(vectors))
    labels = torch.cat(all_gather(labels))
    return vectors, labels, None if is_rgb is None else torch.cat(all_gather(is_rgb.long())).bool()
