"""What a test image costs a model: the modules that run, and their operations."""

from collections.abc import Callable

import torch
from mmengine.config import Config
from mmpretrain.structures import DataSample
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def test_size(cfg: Config) -> tuple[int, int]:
    """Height and width of the images that the test pipeline gives.

    Raises:
        ValueError: When the pipeline does not resize them.
    """
    scales = [step['scale'] for step in cfg.test_dataloader.dataset.pipeline if step['type'].endswith('Resize')]
    if not scales:
        raise ValueError(f'{cfg.filename} has no Resize in its test pipeline, which would say the size of an image.')
    width, height = scales[-1]
    return height, width


def make_run(model: nn.Module, size: tuple[int, int], modality: str, batch_size: int) -> Callable:
    """A function that makes the features of a batch of one modality, (batch_size, C)."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (batch_size, 3, *size), dtype=torch.uint8, generator=generator)
    samples = [DataSample(metainfo=dict(modality=modality)) for _ in range(batch_size)]
    data = model.data_preprocessor(dict(inputs=images, data_samples=samples), False)

    @torch.no_grad()
    def run():
        return model(**data, mode='tensor')

    return run


def parameters_that_run(model: nn.Module, run: Callable) -> int:
    """How many parameters the modules have that are called."""
    found = {}

    def note(module, *_):
        found.update({id(p): p.numel() for p in module.parameters(recurse=False)})

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    run()
    for hook in hooks:
        hook.remove()
    return sum(found.values())


def operations(run: Callable) -> int:
    """Floating-point operations of one call, a multiply-add is two; 0 of what torch does not do itself."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()
