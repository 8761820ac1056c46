"""What a test image costs: ``python tools/analysis_tools/test_cost.py CONFIG...``.

Prints a Markdown table with a row for RGB and one for IR images, since some methods treat them differently: parameters
of the modules that run, floating-point operations (a multiply-add is two), and how many images a second this machine
gets through, in the median of several runs, for which the configs take turns. Weights play no part, and are not loaded.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tsgan import command_line
from tsgan.evaluation.rerank import checked_device
from tsgan.experiments import load_config, parts_named
from tsgan.registry import MODELS


def test_size(cfg: Config) -> tuple[int, int]:
    """Height and width of the images that the test pipeline gives."""
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
    """Floating-point operations of one call."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def seconds(run: Callable) -> float:
    start = time.perf_counter()
    run().sum().item()  # waits for a GPU
    return time.perf_counter() - start


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='What a test image costs, as Markdown')
    parser.add_argument('configs', nargs='+', metavar='CONFIG')
    parser.add_argument('--batch-size', type=int, default=32, help='of the timed runs; default: 32')
    parser.add_argument('--repeats', type=int, default=11, help='timed runs, of which the median counts; default: 11')
    parser.add_argument('--device', help='default: the GPU where there is one')
    args = parser.parse_args()
    if args.batch_size < 1 or args.repeats < 1:
        parser.error(f'expected a batch size and repeats from 1: not {args.batch_size} and {args.repeats}.')
    return args


def main() -> None:
    args = parse_args()
    device = checked_device(args.device)
    rows, timed = [], []
    for path in args.configs:
        cfg = load_config(path)
        init_default_scope(cfg.default_scope)
        with parts_named(cfg):
            model, size = MODELS.build(cfg.model).to(device).eval(), test_size(cfg)
        for modality in ('rgb', 'ir'):
            one = make_run(model, size, modality, batch_size=1)
            count = operations(one)
            gflops = f'{count / 1e9:.3f}' if count else '-'  # outside of torch, nobody counts
            counts = f'{parameters_that_run(model, one) / 1e6:.2f} | {gflops}'
            rows.append(f'| `{path}` | {modality.upper()} | {size[0]}x{size[1]} | {counts}')
            timed.append(make_run(model, size, modality, args.batch_size))
    for run in timed:
        run()  # whatever is done once
    runs = [[seconds(run) for run in timed] for _ in range(args.repeats)]
    threads = f'{torch.get_num_threads()} CPU thread(s)'
    where = torch.cuda.get_device_name(device) if device.type == 'cuda' else threads
    print(f'{where}, batches of {args.batch_size}, median of {args.repeats} runs\n')
    print('| config | image | input | parameters that run, M | GFLOPs | images/s |')
    print('|---|---|---|---|---|---|')
    for row, times in zip(rows, zip(*runs, strict=True), strict=True):
        print(f'{row} | {args.batch_size / statistics.median(times):.1f} |')


if __name__ == '__main__':
    command_line.run(main)
