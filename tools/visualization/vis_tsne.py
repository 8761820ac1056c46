"""Features in the plane, by t-SNE: ``python tools/visualization/vis_tsne.py FEATURES.npz --out FILE.png``.

Discs are RGB images, triangles IR ones; a colour is a person. FEATURES.npz is what ``tools/test.py --out``
or ``tools/extract.py`` writes; of the latter, images of known people.
"""

import argparse

from tsgan.command_line import out_file, run
from tsgan.evaluation import holds_image_features, load_features, load_image_features
from tsgan.visualization.files import FIGURES, check_suffix, save_figure
from tsgan.visualization.tsne import choose_people, embed, plot_tsne


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Plot features by t-SNE')
    parser.add_argument('features', metavar='FEATURES.npz')
    parser.add_argument('--identities', type=int, default=12, help='how many people; default: 12')
    parser.add_argument('--perplexity', type=float, default=30, help='about how many neighbours count; default: 30')
    parser.add_argument('--seed', type=int, default=0, help='of the choice of people and of t-SNE; default: 0')
    parser.add_argument(
        '--out', type=out_file, default='tsne.png', metavar='FILE', help='.png, .svg, .pdf; default: tsne.png'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    check_suffix(args.out, FIGURES)
    load = load_image_features if holds_image_features(args.features) else load_features
    features = choose_people(load(args.features), args.identities, args.seed)
    save_figure(args.out, plot_tsne(features, embed(features, args.perplexity, args.seed)))
    print(f'{args.out}: {len(features)} images')


if __name__ == '__main__':
    run(main)
