import torch
import torch.distributed.nn.functional as dist_functional
from mmengine.dist import all_gather, get_world_size
from torch import Tensor


def gathered(vectors: Tensor, labels: Tensor, is_rgb: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Those of all ranks, one rank after the other; of one process as they are."""
    if get_world_size() > 1:
        vectors = torch.cat(dist_functional.all_gather(vectors))  # (ranks * N, C), differentiable
        labels = torch.cat(all_gather(labels))
        is_rgb = None if is_rgb is None else torch.cat(all_gather(is_rgb.long())).bool()
    return vectors, labels, is_rgb
