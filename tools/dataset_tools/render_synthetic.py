"""Render the synthetic data set: python tools/dataset_tools/render_synthetic.py data/synthetic"""

import argparse

import cv2

from tsgan.command_line import out_file, run
from tsgan.datasets.synthetic import PARTS, contact_sheet, render_dataset


def parse_args():
    parser = argparse.ArgumentParser(
        description="Render a synthetic visible-infrared data set in SYSU-MM01's layout.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('root', help='folder to write to')
    parser.add_argument('--num-train', type=int, default=300, help='identities to train on')
    parser.add_argument('--num-val', type=int, default=24, help='identities to validate on')
    parser.add_argument('--num-test', type=int, default=96, help='identities to test on')
    parser.add_argument('--num-pretrain', type=int, default=150, help='extra identities, seen by RGB cameras only')
    parser.add_argument('--frames', type=int, default=12, help='pictures of an identity by a camera')
    parser.add_argument('--size', type=int, nargs=2, default=[96, 48], metavar=('H', 'W'), help='picture size, pixels')
    parser.add_argument('--seed', type=int, default=1, help='decides people, places and pictures')
    parser.add_argument(
        '--style',
        default='default',
        metavar='STYLE',
        help=f'default, hard, or some of {", ".join(PARTS)} joined by +: how hard the pictures are',
    )
    parser.add_argument('--workers', type=int, help='processes; all cores when not given')
    parser.add_argument('--force', action='store_true', help='render anew, replacing a synthetic data set in ROOT')
    parser.add_argument(
        '--contact-sheet', type=out_file, metavar='FILE', help='also write a picture of some test identities'
    )
    return parser.parse_args()


def main():
    args = parse_args()
    if args.contact_sheet and not cv2.haveImageWriter(args.contact_sheet):
        raise ValueError(f'{args.contact_sheet}: expected a picture, such as sheet.jpg or sheet.png.')
    root = render_dataset(
        args.root,
        num_train=args.num_train,
        num_val=args.num_val,
        num_test=args.num_test,
        num_pretrain=args.num_pretrain,
        frames=args.frames,
        size=tuple(args.size),
        seed=args.seed,
        workers=args.workers,
        force=args.force,
        style=args.style,
    )
    print(f'{root} is ready.')
    if args.contact_sheet:
        contact_sheet(root, args.contact_sheet)
        print(f'{args.contact_sheet} shows some of its test identities.')


if __name__ == '__main__':
    run(main, lambda: 'interrupted: the same command begins again')
