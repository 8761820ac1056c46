"""Parameters and operations of a test: ``python tools/analysis_tools/get_flops.py CONFIG|NAME... [--shape H W]``.

A Markdown table of what one image costs the test-time network: parameters of the modules that run, the classifier's
among them, and floating-point operations, a multiply-add counted as two. A model that treats RGB and IR images
differently has a row for each. ``test_cost.py`` measures the time, too. Weights play no part, and are not loaded.
"""

import argparse

from mmengine.registry import init_default_scope

from tsgan.apis.hub import find_config
from tsgan.command_line import run
from tsgan.experiments import make_run, operations, parameters_that_run, test_size
from tsgan.registry import MODELS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Parameters and operations of a test, as Markdown')
    parser.add_argument('models', nargs='+', metavar='CONFIG|NAME', help='config files, or names of list_models()')
    parser.add_argument(
        '--shape', nargs=2, type=int, metavar=('H', 'W'), help="of an image; default: that of the config's test"
    )
    args = parser.parse_args()
    if args.shape and min(args.shape) < 1:
        parser.error(f'expected a height and a width from 1: not {args.shape[0]} and {args.shape[1]}.')
    return args


def main() -> None:
    args = parse_args()
    configs = {name: find_config(name) for name in args.models}
    print('| model | image | input | parameters that run, M | GFLOPs |')
    print('|---|---|---|---|---|')
    for name, cfg in configs.items():
        init_default_scope(cfg.default_scope)
        model, size = MODELS.build(cfg.model).eval(), tuple(args.shape or test_size(cfg))
        costs = {}  # what it costs -> modalities that cost so much
        for modality in ('rgb', 'ir'):
            one = make_run(model, size, modality, batch_size=1)
            costs.setdefault((parameters_that_run(model, one), operations(one)), []).append(modality.upper())
        for (parameters, count), modalities in costs.items():
            gflops = f'{count / 1e9:.3f}' if count else '-'  # outside of torch, nobody counts
            print(f'| `{name}` | {", ".join(modalities)} | {size[0]}x{size[1]} | {parameters / 1e6:.2f} | {gflops} |')


if __name__ == '__main__':
    run(main)
