"""Write a model as ONNX: ``python tools/deployment/export_onnx.py NAME|CONFIG [CKPT] --out FILE.onnx``.

The network that a test runs, and nothing that only its training needs. The file is there once ONNX Runtime gives the
features that PyTorch gives. ``--int8`` writes a quantised FILE_int8.onnx beside it; ``--measure DATA`` tests PyTorch
and the files on the test images of a data set.
"""

import argparse
from pathlib import Path

from tsgan.apis.export import OnnxNetwork, export_onnx, measure_networks, quantize_onnx
from tsgan.command_line import add_trust, out_file, run


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write a model as ONNX')
    parser.add_argument('model', help='a name of list_models(), or a config file')
    parser.add_argument('checkpoint', nargs='?', help='its weights; default: those that come with the package')
    parser.add_argument('--out', type=out_file, metavar='FILE.onnx', required=True, help='the file to write')
    parser.add_argument(
        '--with-preprocess',
        action='store_true',
        help='take 8-bit RGB images (N, H, W, 3) of any size: resizing, normalisation and unit length are in the file',
    )
    parser.add_argument('--images', metavar='FOLDER', help='images to compare on; default: rendered people')
    parser.add_argument('--int8', action='store_true', help='also write FILE_int8.onnx, quantised')
    parser.add_argument(
        '--calibration', metavar='FOLDER', help='images that the quantisation takes its ranges of; default: rendered'
    )
    parser.add_argument(
        '--measure', metavar='DATA', help="test PyTorch and the files on this data set, by the config's protocol"
    )
    add_trust(parser)
    args = parser.parse_args()
    if Path(args.out).suffix != '.onnx':
        parser.error(f'--out {args.out}: expected a name that ends with .onnx.')
    if args.calibration and not args.int8:
        parser.error('--calibration is for --int8.')
    return args


def table(results: dict[str, dict[str, dict]]) -> str:
    """R1 and mAP of each network in each setting as Markdown, and how far they are from the first one's."""
    lines = ['| setting | network | R1, % | mAP, % |', '|---|---|---|---|']
    first = next(iter(results.values()))
    for setting in first:
        for name, settings in results.items():
            cells = [
                f'{settings[setting][m]:.2f} ({settings[setting][m] - first[setting][m]:+.2f})' for m in ('R1', 'mAP')
            ]
            lines.append(f'| {setting} | {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    parity = export_onnx(args.model, args.out, args.checkpoint, args.with_preprocess, args.images)
    print(f'{args.out}: {Path(args.out).stat().st_size / 1e6:.1f} MB')
    print(f'largest difference to PyTorch, over {parity.num_images} images: {parity.difference:.1e}')
    if parity.to_inferencer is not None:
        print(f'largest difference to the features of ReIDInferencer: {parity.to_inferencer:.1e}')
    files = {'ONNX Runtime': args.out}
    if args.int8:
        files['ONNX Runtime, int8'] = out = str(Path(args.out).with_suffix('')) + '_int8.onnx'
        cosine = quantize_onnx(args.out, out, args.calibration)
        print(f'{out}: {Path(out).stat().st_size / 1e6:.1f} MB, mean cosine to features of {args.out} {cosine:.4f}')
    if args.measure:
        from tsgan.apis.inferencer import ReIDInferencer

        networks = {'PyTorch': ReIDInferencer(args.model, args.checkpoint, device='cpu').network}
        networks |= {name: OnnxNetwork(file) for name, file in files.items()}
        print(f'\n{table(measure_networks(networks, args.model, args.measure))}')


if __name__ == '__main__':
    run(main)
