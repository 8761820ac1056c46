"""What a test image costs: ``python tools/analysis_tools/test_cost.py CONFIG...``.

Prints a Markdown table with a row for RGB and one for IR images, since some methods treat them differently: parameters
of the modules that run, floating-point operations (a multiply-add is two), and how many images a second this machine
gets through, in the median of several runs, for which the configs take turns. Weights play no part, and are not loaded.
"""

import argparse

import torch

from tsgan import command_line
from tsgan.evaluation.rerank import checked_device
from tsgan.experiments import image_costs, load_config, markdown_table


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
    cfgs = {path: load_config(path) for path in args.configs}
    costs = image_costs(cfgs, device, args.batch_size, args.repeats)
    threads = f'{torch.get_num_threads()} CPU thread(s)'
    where = torch.cuda.get_device_name(device) if device.type == 'cuda' else threads
    print(f'{where}, batches of {args.batch_size}, median of {args.repeats} runs\n')
    rows = []
    for (path, modality), cost in costs.items():
        height, width = cost.size
        gflops = f'{cost.operations / 1e9:.3f}' if cost.operations else '-'  # outside of torch, nobody counts
        counts = f'{cost.parameters / 1e6:.2f}', gflops, f'{cost.images_a_second:.1f}'
        rows.append((f'`{path}`', modality.upper(), f'{height}x{width}', *counts))
    header = 'config', 'image', 'input', 'parameters that run, M', 'GFLOPs', 'images/s'
    print('\n'.join(markdown_table(header, rows)))


if __name__ == '__main__':
    command_line.run(main)
