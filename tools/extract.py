"""Features of images, and what their folders say of them: ``python tools/extract.py photos/ --out features.npz``."""

import argparse
from pathlib import Path

from tsgan.command_line import out_file, run


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Write the features of images as NPZ: feats (unit length), paths, identities, pids and camids (-1 '
        'where not known), modalities; and model and fingerprint, what made them'
    )
    parser.add_argument('images', nargs='+', metavar='IMAGES', help='folders, files, or patterns such as "a/**/*.jpg"')
    parser.add_argument(
        '--model', default='tsgan-jd_small_synthetic', help='name, config or ONNX file; default: %(default)s'
    )
    parser.add_argument(
        '--weights', help='checkpoint, its address, or the work dir of a training; default: of the name'
    )
    parser.add_argument(
        '--modality', choices=['auto', 'rgb', 'ir'], default='auto', help='of all images; default: auto'
    )
    parser.add_argument('--batch-size', type=int, default=64, help='images at a time; default: %(default)s')
    parser.add_argument('--device', help='such as cpu or cuda:1; default: a GPU where there is one')
    parser.add_argument('--out', required=True, type=out_file, metavar='FEATURES.npz', help='the file to write')
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='also read files that hold more than weights, and run code of their writer: old ones of your own',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # torch is imported where it is needed: not to say what is wrong with an argument, nor for an ONNX file
    from tsgan.apis import ReIDInferencer
    from tsgan.evaluation import save_image_features

    if args.trust_checkpoint:
        from tsgan.checkpoints import trust_files

        trust_files()
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    reid = ReIDInferencer(args.model, args.weights, args.device, args.modality)
    feats = reid.extract(args.images, args.batch_size)
    save_image_features(args.out, feats, reid.rows, reid.name, reid.fingerprint)
    print(f'{len(feats)} features of length {reid.dim} in {args.out}')


if __name__ == '__main__':
    run(main)
