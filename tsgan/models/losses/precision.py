import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision as float32, anything else as it is: squares and sums of half precision overflow, at 65,504.

    Mixed precision computes networks in half precision; a loss is a few operations, and the last place to save.
    """
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
