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
from mmengine.registry import init_default_scope

from tsgan import command_line
from tsgan.evaluation.rerank import checked_device
from tsgan.experiments import load_config, make_run, operations, parameters_that_run, parts_named, test_size
from tsgan.registry import MODELS


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
