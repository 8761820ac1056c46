"""Make a file to give away: ``python tools/model_converters/publish_model.py CKPT OUT.safetensors --config CONFIG``.

The weights that tests and translations need, as safetensors, and beside them their card, OUT.json. The file is taken
where a checkpoint is: ``python tools/test.py CONFIG OUT.safetensors``; a test on people of its training is refused, as
the checkpoint's own is.
"""

import argparse

from tsgan.command_line import add_trust, out_file, run
from tsgan.experiments import publish
from tsgan.experiments.publish import KEPT, LICENCE, LIMITS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Weights without their training, and their card')
    parser.add_argument('checkpoint', help='checkpoint, or the work dir of a training, for its last one')
    parser.add_argument('out', type=out_file, metavar='OUT.safetensors', help='the file to write; its card is OUT.json')
    parser.add_argument('--config', help='config file of the model, for the card')
    parser.add_argument('--card-from', metavar='RESULTS.json', help='what tools/test.py has written, for the card')
    parser.add_argument(
        '--keep',
        nargs='+',
        default=KEPT,
        metavar='PREFIX',
        help=f'what names of kept tensors begin with; default: {" ".join(KEPT)}',
    )
    parser.add_argument('--classifier', action='store_true', help='keep the classifier, too: a test does without')
    parser.add_argument('--half', action='store_true', help='as float16')
    parser.add_argument('--command', help='what trains it, for the card; default: tools/train.py with the config')
    parser.add_argument('--data', help='what it was trained on, for the card; default: the folder of its data set')
    parser.add_argument('--licence', default=LICENCE, help=f'of the weights, for the card; default: {LICENCE}')
    parser.add_argument('--limits', default=LIMITS, help=f'what it is not, for the card; default: {LIMITS}')
    add_trust(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    card = publish(
        args.checkpoint,
        args.out,
        config=args.config,
        results=args.card_from,
        keep=tuple(args.keep),
        classifier=args.classifier,
        half=args.half,
        command=args.command,
        data=args.data,
        licence=args.licence,
        limits=args.limits,
    )
    print(f'{args.out}: {card["values"] / 1e6:.2f} M values of {" and ".join(card["parts"])}, {card["precision"]}')


if __name__ == '__main__':
    run(main)
