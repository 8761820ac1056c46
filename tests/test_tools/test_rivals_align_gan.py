"""AlignGAN's schedule and test, and test_cost.py, run as a user runs them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command_lines import run

REPO = Path(__file__).parents[2]
SETTINGS = {'all_single', 'all_multi', 'indoor_single', 'indoor_multi', 'about'}
ALIGN_GAN = ['model.generators.generator.base_channels=16', 'model.generators.generator.num_blocks=1']
ALIGN_GAN += ['model.discriminators.ir.map_channels=128', 'model.discriminators.ir.base_channels=16']
ALIGN_GAN += [f'model.{d}.base_channels=16' for d in ('discriminators.rgb', 'warmup_discriminators.rgb')]
ALIGN_GAN += ['model.warmup_discriminators.ir.base_channels=16', 'model.gan_pairs=4']
# an epoch of two iterations for each part of the schedule
for i, times in enumerate([dict(end=1), dict(begin=2), dict(begin=1), dict(begin=1, end=2), dict(begin=2)]):
    ALIGN_GAN += [f'custom_hooks.0.phases.{i}.{key}={epoch}' for key, epoch in times.items()]
ALIGN_GAN += ['custom_hooks.0.terms.reid/loss_tri_ir.end=1', 'train_cfg.max_epochs=3']
ALIGN_GAN += [f'custom_hooks.0.terms.reid/{name}=2' for name in ('loss_id_fake_ir', 'loss_tri', 'loss_gan')]


def phases_logged(work_dir):
    """Of each iteration, the phases that ran."""
    (file,) = work_dir.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [{name.split('/')[0] for name in row if '/loss_' in name} for row in rows if 'time' in row]


def results_of(test, work_dir, checkpoint, tmp_path):
    """Results and features of a checkpoint, with the config that the training has left beside it."""
    results, features = tmp_path / 'results.json', tmp_path / 'features.npz'
    config = str(work_dir / work_dir.name)
    test(config, checkpoint, '--json', results, '--out', features, '--work-dir', tmp_path)
    with np.load(features) as arrays:
        return json.loads(results.read_text()), dict(arrays)


def test_align_gan_trains_through_its_warm_ups_and_is_tested_with_its_generator(
    pretrained, train, test, workshop, tmp_path
):
    train('rivals/align_gan', options=ALIGN_GAN)
    work_dir = workshop / 'work_dirs/synthetic/rivals/align_gan'
    # a row has the last value of every phase so far: those that begin with it are new in it
    seen = phases_logged(work_dir)
    assert [seen[i] - seen[i - 1] if i else seen[i] for i in (0, 2, 4)] == [
        {'reid'},
        {'generators', 'warmup_discriminators'},
        {'discriminators'},
    ]
    assert (work_dir / 'translation_grid.jpg').is_file()
    found, features = results_of(test, work_dir, work_dir / 'epoch_3.pth', tmp_path)
    assert set(found) == SETTINGS
    checkpoint = torch.load(work_dir / 'epoch_3.pth', weights_only=False)
    checkpoint['state_dict']['generators.rgb_to_ir.layers.0.weight'].neg_()
    torch.save(checkpoint, tmp_path / 'other.pth')
    _, other = results_of(test, work_dir, tmp_path / 'other.pth', tmp_path)
    assert (features['query_feats'] == other['query_feats']).all()  # IR
    assert (features['gallery_feats'] != other['gallery_feats']).any(axis=1).all()  # RGB


@pytest.fixture(scope='module')
def costs():
    """Config name and modality -> what the table of test_cost.py says."""
    configs = [REPO / f'configs/synthetic/{name}.py' for name in ('backbone', 'tsgan_jd', 'rivals/align_gan')]
    command = [sys.executable, REPO / 'tools/analysis_tools/test_cost.py', *configs, '--batch-size', '2']
    done = run([*command, '--repeats', '1'], REPO, anew=True)
    rows = [line.strip('| ').split(' | ') for line in done.text.splitlines() if line.startswith('| `')]
    return {(Path(row[0].strip('`')).stem, row[1]): [row[2], *map(float, row[3:])] for row in rows}


def test_an_image_costs_tsgan_its_backbone_alone_in_either_modality(costs):
    assert len(costs) == 6 and all(size == '96x48' and speed > 0 for size, _, _, speed in costs.values())
    rows = [costs[name, modality][:3] for name in ('backbone', 'tsgan_jd') for modality in ('RGB', 'IR')]
    assert rows == [rows[0]] * 4
    assert rows[0][1] == pytest.approx(2.876, abs=0.01)  # half as wide a ResNet-18 with its head


def test_an_rgb_image_costs_align_gan_a_generator_more_than_an_ir_image(costs):
    _, rgb_parameters, rgb_flops, _ = costs['align_gan', 'RGB']
    _, ir_parameters, ir_flops, _ = costs['align_gan', 'IR']
    assert rgb_parameters - ir_parameters == pytest.approx(0.309, abs=0.01)  # one generator
    assert rgb_flops > 1.5 * ir_flops
    assert ir_flops == pytest.approx(2 * costs['backbone', 'IR'][2], rel=0.01)  # an image, and its mirror image


def test_the_cost_of_no_config_is_refused_in_one_sentence():
    done = run([sys.executable, REPO / 'tools/analysis_tools/test_cost.py', 'nope.py'], REPO, fails=True)
    assert done.error == 'error: no config file at nope.py.'
