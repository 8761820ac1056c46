"""What a training step costs, in which precision: ``python benchmarks/training.py [CONFIG ...]``.

Whole steps, all phases of a config, on batches that were loaded and collated before; weights of chance. Without a GPU,
in float32 alone.
"""

import argparse
from itertools import cycle, islice
from statistics import median

import torch
from common import machine, seconds

from tsgan.command_line import run
from tsgan.experiments import load_config, use_amp
from tsgan.experiments.estimate import training

CONFIGS = [f'configs/{name}.py' for name in ('backbone', 'tsgan_jd', 'modern/agw', 'modern/deen', 'modern/vit')]
PRECISIONS = {'float32': False, 'TF32': True, 'mixed (--amp)': True}  # whether float32 products may be rounded


def main() -> None:
    parser = argparse.ArgumentParser(description='Time training steps in each precision, as a Markdown table')
    parser.add_argument('configs', nargs='*', default=CONFIGS, metavar='CONFIG', help=f'default: {" ".join(CONFIGS)}')
    parser.add_argument(
        '--data-root', default='data/synthetic', help='in the layout of SYSU-MM01; default: %(default)s'
    )
    parser.add_argument('--steps', type=int, default=15, help='of which the median counts; default: %(default)s')
    args = parser.parse_args()
    torch.backends.cudnn.benchmark = True  # as trainings have it
    on_gpu = torch.cuda.is_available()
    print('| config | precision | images a batch | s a step | ratio | images/s | peak of GPU memory, GiB |')
    print('|---|---|---|---|---|---|---|')
    for config in args.configs:
        first = None
        for precision in PRECISIONS if on_gpu else ['float32']:
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = PRECISIONS[precision]
            taken, images, peak = time_steps(config, args.data_root, 'amp' in precision, args.steps)
            first = first or taken
            cells = [precision, images, f'{taken:.3f}', f'{taken / first:.2f}', f'{images / taken:.0f}', peak]
            print('|', config, '|', *(f'{cell} |' for cell in cells), flush=True)
    print(f'\nmedian of {args.steps} after three; {torch.cuda.get_device_name() if on_gpu else "no GPU"}; {machine()}')


def time_steps(config: str, data_root: str, amp: bool, steps: int) -> tuple[float, int, str]:
    """Seconds a step, images a batch, and the peak of GPU memory."""
    cfg = load_config(config, cfg_options=[f'data_root={data_root}'])
    if amp:
        use_amp(cfg)
    model, wrapper, loader = training(cfg)
    batches = cycle(list(islice(loader, 3)))
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()

    def step() -> None:
        model.train_step(next(batches), wrapper)
        if on_gpu:
            torch.cuda.synchronize()

    seconds(step, 3)  # to warm up
    taken = median(seconds(step, steps)[0])
    peak = f'{torch.cuda.max_memory_allocated() / 2**30:.1f}' if on_gpu else '-'
    return taken, cfg.train_dataloader.batch_size, peak


if __name__ == '__main__':
    run(main)
