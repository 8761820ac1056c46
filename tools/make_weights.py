"""Make the model that comes with the package: ``python tools/make_weights.py``; 75 minutes of two cores.

Renders people of six seeds that no result uses, trains on all of them (``configs/synthetic/shipped``: a start on both
modalities, an IR teacher, TS-GAN), tests on the people of seed 1, and writes ``tsgan-jd_small_synthetic.safetensors``
with its card. An interrupted run goes on where it stopped.
"""

import argparse
import json
import os
from pathlib import Path

from tsgan.checkpoints import WEIGHTS
from tsgan.command_line import out_file, run
from tsgan.datasets.synthetic import render_dataset
from tsgan.datasets.synthetic.scene import CAMERAS, RGB_CAMERAS
from tsgan.experiments import Steps, publish
from tsgan.places import ROOT

NAME = 'tsgan-jd_small_synthetic'
SEEDS = range(11, 17)
PEOPLE = 300  # of each seed
DATA, RENDERED, OUT = Path('data/shipped'), Path('data/shipped_rendered'), Path('work_dirs/shipped')


def link_people(num_people: int) -> None:
    """Put the people of all seeds into one ``rgb/<seed>-<identity>/``, ``ir/<seed>-<identity>/``."""
    names = []
    for seed in SEEDS:
        root = RENDERED / str(seed)
        render_dataset(root, num_train=num_people - 1, num_val=0, num_test=1, num_pretrain=0, seed=seed)
        for pid in range(1, num_people + 1):
            names.append(f'{seed}-{pid:04d}')
            for cam in CAMERAS:
                folder = DATA / ('rgb' if cam in RGB_CAMERAS else 'ir') / names[-1]
                folder.mkdir(parents=True, exist_ok=True)
                for image in (root / f'cam{cam}' / f'{pid:04d}').iterdir():
                    link = folder / f'{cam}_{image.name}'
                    if not link.exists():
                        os.link(image, link)
    (DATA / 'split.json').write_text(json.dumps({'train': names}))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=WEIGHTS, help='folder to write to; default: that of the package')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    out_file(str(args.out / f'{NAME}.safetensors'))
    steps = Steps(OUT / 'make_weights.log')
    link_people(PEOPLE)
    render_dataset('data/synthetic')
    steps.train('synthetic/shipped/start.py', OUT / 'start', 'start, both modalities')
    steps.train('synthetic/shipped/teacher_ir.py', OUT / 'teacher_ir', 'IR teacher')
    checkpoint = steps.train('synthetic/shipped/tsgan_jd.py', OUT / 'tsgan_jd', 'TS-GAN')
    config = ROOT / 'configs/synthetic/shipped/tsgan_jd.py'
    steps.say('test on the people of seed 1')
    results = OUT / 'tsgan_jd/results.json'
    steps.call('test.py', config, checkpoint, '--rerank', '--json', results, '--work-dir', OUT / 'tsgan_jd')
    card = publish(
        checkpoint,
        args.out / f'{NAME}.safetensors',
        config=str(config.relative_to(ROOT)),
        results=results,
        half=True,
        command='python tools/make_weights.py',
        data=f'{len(SEEDS) * PEOPLE:,} people rendered by tools/dataset_tools/render_synthetic.py, seeds {SEEDS[0]} to '
        f'{SEEDS[-1]}; tested on the test people of seed 1',
        limits='No real camera saw it: it has learned from rendered people alone, and is no good on real ones.',
    )
    numbers = card['numbers']['all_single']
    steps.say(
        f'{args.out / NAME}.safetensors and .json: all-search single-shot {numbers["R1"]} R1, {numbers["mAP"]} mAP'
    )


if __name__ == '__main__':
    run(main, lambda: 'stopped; the same command goes on from here.')
