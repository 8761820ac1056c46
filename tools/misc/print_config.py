"""A whole config, as a training reads it: ``python tools/misc/print_config.py CONFIG [--cfg-options KEY=VALUE]``.

Bases are merged, options are put over them and checked. What it prints is a config itself.
"""

import argparse

from tsgan.command_line import out_file, run
from tsgan.experiments import add_cfg_options, load_config
from tsgan.whole_files import write_whole


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Print a config with its bases and options')
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='as of a training')
    parser.add_argument('--out', type=out_file, metavar='FILE.py', help='where to write it; default: it is printed')
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.out and not args.out.endswith('.py'):
        raise ValueError(f'{args.out}: expected a name that ends with .py, as that of a config.')
    text = load_config(args.config, args.work_dir, args.cfg_options).pretty_text
    if args.out:
        write_whole(args.out, text)
    else:
        print(text)


if __name__ == '__main__':
    run(main)
