"""Features of images, and what their folders say of them: ``python tools/extract.py photos/ --out features.npz``."""

import argparse

from tsgan.command_line import add_model_arguments, out_file, run


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Write the features of images as NPZ: feats (unit length), paths, identities, pids and camids (-1 '
        'where not known), modalities; and model and fingerprint, what made them'
    )
    parser.add_argument('images', nargs='+', metavar='IMAGES', help='folders, files, or patterns such as "a/**/*.jpg"')
    add_model_arguments(parser)
    parser.add_argument(
        '--modality', choices=['auto', 'rgb', 'ir'], default='auto', help='of all images; default: auto'
    )
    parser.add_argument('--batch-size', type=int, default=64, help='images at a time; default: %(default)s')
    parser.add_argument('--out', type=out_file, required=True, metavar='FEATURES.npz', help='the file to write')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # torch is imported where it is needed: not to say what is wrong with an argument, nor for an ONNX file
    from tsgan.apis import ReIDInferencer
    from tsgan.evaluation import save_image_features

    reid = ReIDInferencer(args.model, args.weights, args.device, args.modality)
    feats = reid.extract(args.images, args.batch_size)
    save_image_features(args.out, feats, reid.rows, reid.name, reid.fingerprint)
    print(f'{len(feats)} features of length {reid.dim} in {args.out}')


if __name__ == '__main__':
    run(main)
