"""Translations (Fig. 5): ``python tools/visualization/vis_translation.py CONFIG CKPT --out FILE``.

Draws what the generators of a model make of test images, one RGB and one IR image of each of some people, or of the
files behind --rgb and --ir. In place of CONFIG CKPT, the name of a model whose weights come with the package.
"""

import argparse

from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from tsgan.apis.hub import find_config, get_model
from tsgan.command_line import add_trust, out_file, run
from tsgan.experiments import add_cfg_options, load_config
from tsgan.images import any_deep, common_range
from tsgan.registry import DATASETS
from tsgan.visualization.files import check_suffix, save_picture
from tsgan.visualization.translations import choose_pairs, draw_translated


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw translations')
    parser.add_argument('model', metavar='CONFIG|NAME', help='config file, or the name of a model with weights')
    parser.add_argument('checkpoint', nargs='?', metavar='CKPT', help='checkpoint, or work dir of a training')
    parser.add_argument('--rgb', nargs='+', default=[], metavar='FILE', help='colour images to translate')
    parser.add_argument('--ir', nargs='+', default=[], metavar='FILE', help='infrared images to translate')
    parser.add_argument('--number', type=int, default=8, help='without files: of how many people; default: 8')
    parser.add_argument('--seed', type=int, default=0, help='without files: of their choice; default: 0')
    parser.add_argument(
        '--out', type=out_file, default='translations.jpg', metavar='FILE', help='default: translations.jpg'
    )
    parser.add_argument('--device', help='default: the GPU where there is one')
    add_cfg_options(parser)
    add_trust(parser)
    return parser.parse_args()


def records_of(files: list[str], modality: str) -> list[dict]:
    """The images as a data set would have them; those of more than eight bits by their common range."""
    value_range = {'value_range': common_range(files)} if any_deep(files) else {}
    return [{'img_path': file, 'modality': modality} | value_range for file in files]


def main() -> None:
    args = parse_args()
    check_suffix(args.out)
    if args.number < 1:
        raise ValueError(f'--number {args.number}: expected at least 1.')
    cfg = load_config(find_config(args.model).filename, cfg_options=args.cfg_options)
    init_default_scope(cfg.default_scope)
    model = get_model(args.model if args.checkpoint is None else cfg, args.checkpoint, args.device)
    if args.rgb or args.ir:
        records = records_of(args.rgb, 'rgb') + records_of(args.ir, 'ir')
        transform = Compose(cfg.test_dataloader.dataset.pipeline)
    else:
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
        records = [dataset.get_data_info(row) for row in choose_pairs(dataset, args.number, args.seed)]
        transform = dataset.pipeline
    save_picture(args.out, draw_translated(model, records, transform))
    print(f'{args.out}: {len(records)} images')


if __name__ == '__main__':
    run(main)
