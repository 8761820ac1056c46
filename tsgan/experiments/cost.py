"""What a test image costs a model: the modules that run, their operations, and images a second on this machine."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tsgan.models.reid.baseline import mirrored
from tsgan.registry import MODELS

from .building import parts_named


class ImageCost(NamedTuple):
    """What the images of one modality cost a row's test."""

    size: tuple[int, int]  # height, width
    parameters: int  # of the modules that run
    operations: int  # floating-point operations of one image, a multiply-add is two; 0 outside of torch, uncounted
    images_a_second: float  # in batches, median


def image_costs(
    cfgs: Mapping[str, Config], device: torch.device, batch_size: int, repeats: int
) -> dict[tuple[str, str], ImageCost]:
    """What a test image costs each of the models, by name and modality, since some treat modalities differently.

    Weights play no part, and are not loaded; the models take turns in each of the ``repeats`` timed runs. A test that
    averages over mirror images makes two features of each image.
    """
    found, timed = {}, {}
    for name, cfg in cfgs.items():
        init_default_scope(cfg.default_scope)
        with parts_named(cfg):
            model, size = MODELS.build(cfg.model).to(device).eval(), test_size(cfg)
        if getattr(model.reid, 'metric', None) is not None:
            model.reid.metric = None  # there is none before a training has fitted it
        twice = cfg.test_evaluator.get('mirror', False)
        for modality in ('rgb', 'ir'):
            one = make_run(model, size, modality, 1, twice)
            found[name, modality] = size, parameters_that_run(model, one), operations(one)
            timed[name, modality] = make_run(model, size, modality, batch_size, twice)
    for run in timed.values():
        run()  # whatever is done once
    runs = [[seconds_to_end(run) for run in timed.values()] for _ in range(repeats)]
    medians = [statistics.median(times) for times in zip(*runs, strict=True)]
    return {key: ImageCost(*found[key], batch_size / took) for key, took in zip(timed, medians, strict=True)}


def seconds_to_end(run: Callable) -> float:
    start = time.perf_counter()
    run().sum().item()  # waits for a GPU
    return time.perf_counter() - start


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


def make_run(model: nn.Module, size: tuple[int, int], modality: str, batch_size: int, mirror: bool = False) -> Callable:
    """A function that makes the features of a batch of one modality, (batch_size, C); of mirror images, too."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (batch_size, 3, *size), dtype=torch.uint8, generator=generator)
    samples = [DataSample(metainfo=dict(modality=modality)) for _ in range(batch_size)]
    data = model.data_preprocessor(dict(inputs=images, data_samples=samples), False)

    @torch.no_grad()
    def run():
        if mirror:
            model(**dict(data, inputs=mirrored(data['inputs'])), mode='tensor')
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
