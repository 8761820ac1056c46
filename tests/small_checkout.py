"""A checkout in small: what a reader of the documentation has, with configs, data and networks that take seconds.

Configs in ``configs/`` begin with those of the toolbox, and change what ``small_configs.py`` does. All data sets are
one rendered set, in each one's layout.
"""

import os
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from command_lines import run
from mmpretrain.models import MobileNetV2
from small_configs import UNTRAINED, set_people, shorten, shrink, shrink_model, small_images

from tsgan.config_files import read_config
from tsgan.datasets.synthetic import render_dataset
from tsgan.evaluation import FeatureTable, save_features

REPO = Path(__file__).parents[1]
PARTS = ('benchmarks', 'configs', 'demo', 'docs', 'requirements', 'tests', 'tools', 'tsgan')
FILES = ('CONTRIBUTING.md', 'Makefile', 'README.md', 'model-index.yml', 'pyproject.toml', 'setup.py')
TRAIN, TEST, FRAMES = range(1, 7), range(10, 14), range(1, 11)  # people, and images of each by a camera
RENDER = dict(num_train=6, num_val=3, num_test=4, num_pretrain=6, frames=10, size=(64, 32), workers=1)
RGB, IR = (1, 2, 4, 5), (3, 6)
SIZED = (*UNTRAINED, 'vit')  # what takes images of one size
MOBILE = ('image_folder/backbone', 'image_folder/teacher_ir', 'image_folder/tsgan_jd')
SMALL_ALREADY = ('synthetic/', 'image_folder/')  # and most fit the weights of the package


def make_small_checkout(root):
    """Write all of it into an empty folder, with what the trainings that pages begin with leave in ``work_dirs``."""
    ignored = shutil.ignore_patterns('__pycache__', '_build', '.mim')
    for name in PARTS:
        shutil.copytree(REPO / name, root / name, ignore=ignored)
    for name in FILES:
        shutil.copy(REPO / name, root)
    for file in sorted((REPO / 'configs').rglob('*.py')):
        name = file.relative_to(REPO / 'configs')
        if '_base_' not in name.parts:
            (root / 'configs' / name).write_text(small_config(file, str(name.with_suffix(''))), encoding='utf-8')
    render_dataset(root / 'data/synthetic', **RENDER)
    render_dataset(root / 'data/synthetic_hard', **RENDER, style='hard')
    (root / 'data/SYSU-MM01').symlink_to('synthetic')
    for make in (make_regdb, make_llcm, make_folders, make_known):
        make(root)
    make_files(root)


def small_config(file, name):
    """The text of a config that begins with another and is small."""
    cfg = read_config(file)
    before = cfg.to_dict()
    if name.startswith(SMALL_ALREADY):
        set_people(cfg.model)
    else:
        shrink_model(cfg, name)
    if name in MOBILE:
        cfg.model.reid.encoder.backbone.init_cfg = None
        shrink(cfg.model.get('generators'))
    if name.startswith('synthetic/shipped/'):  # of people that only tools/make_weights.py renders
        cfg.train_dataloader.dataset.update(data_root='data/images', split_file=None)
    if Path(name).stem not in SIZED:
        small_images(cfg.train_dataloader)
        small_images(cfg.test_dataloader)
    shorten(cfg, name, epochs=2)  # of several checkpoints one can be chosen
    if cfg.train_dataloader.dataset.get('split') == 'train+val':
        cfg.train_dataloader.dataset.split = 'train'
    changes = difference(before, cfg.to_dict())
    return f'_base_ = {str(file)!r}\n' + ''.join(f'{key} = {value!r}\n' for key, value in changes.items())


def difference(before, after):
    """What of a nested dict is not as before."""
    changes = {}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := difference(old, value):
                changes[key] = inner
        elif key not in before or value != old:
            changes[key] = value
    return changes


def image(root, camera, person, frame):
    return root / f'data/synthetic/cam{camera}/{person:04d}/{frame:04d}.jpg'


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)


def make_regdb(root):
    """Three splits, alike."""
    data = root / 'data/RegDB'
    for folder, name, camera in (('Visible', 'visible', 1), ('Thermal', 'thermal', 3)):
        for people, subset in ((TRAIN, 'train'), (TEST, 'test')):
            lines = []
            for label, person in enumerate(people):
                for frame in FRAMES:
                    path = f'{folder}/{person}/{frame:04d}.jpg'
                    copy(image(root, camera, person, frame), data / path)
                    lines.append(f'{path} {label}\n')
            for split in (1, 2, 3):
                file = data / f'idx/{subset}_{name}_{split}.txt'
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(''.join(lines))


def make_llcm(root):
    data = root / 'data/LLCM'
    for short, sources, cameras in (('vis', RGB, range(1, 10)), ('nir', IR, (1, 2, 4, 5, 6, 7, 8, 9))):
        lines = []
        for camera in cameras:
            source = sources[camera % len(sources)]
            for frame in FRAMES:
                for label, person in enumerate(TRAIN):
                    path = f'{short}/{person:04d}/{person:04d}_c{camera:02d}_s1_f{frame}_{short}.jpg'
                    copy(image(root, source, person, frame), data / path)
                    lines.append(f'{path} {label}\n')
                for person in TEST:
                    copy(
                        image(root, source, person, frame), data / f'test_{short}/cam{camera}/{person:04d}/{frame}.jpg'
                    )
        (data / 'idx').mkdir(exist_ok=True)
        (data / f'idx/train_{short}.txt').write_text(''.join(lines))
    (data / 'idx/test_id.txt').write_text(','.join(map(str, TEST)))


def make_folders(root):
    """Folders of pictures, under the names that pages use."""
    for modality, cameras in (('rgb', RGB), ('ir', IR)):
        loose = ('gallery', 'photos', 'colour') if modality == 'rgb' else ('queries', 'infrared')
        for camera in cameras:
            for person in range(1, 13):
                for frame in FRAMES[:2]:
                    source, name = image(root, camera, person, frame), f'{person:04d}_{camera}_{frame}.jpg'
                    copy(source, root / f'data/images/{modality}/{person:04d}/{name}')
                    for folder in loose if person in TEST else ():
                        copy(source, root / folder / name)
    (root / 'DIR').symlink_to('data/images')
    cv2.imwrite(str(root / 'query.png'), cv2.imread(str(root / 'queries/0010_3_1.jpg')))


def make_known(root):
    """Two hundred people whom no model has seen: enough for 1 % of false alarms among as many."""
    people = dict(num_train=1, num_val=1, num_test=200, num_pretrain=1, frames=1, size=(64, 32), seed=2, workers=1)
    render_dataset(root / 'data/known', **people)
    for modality, cameras in (('rgb', RGB), ('ir', IR)):
        for camera in cameras:
            for person in range(3, 203):
                source = root / f'data/known/cam{camera}/{person:04d}'
                shutil.copytree(source, root / f'known/{modality}/cam{camera}/{person:04d}')


def make_files(root):
    """What is trained and measured, under the names that pages use."""
    for config in ('teacher_ir', 'tsgan_jd', 'synthetic/pretrain', 'synthetic/teacher_ir', 'synthetic/tsgan_jd_sum'):
        run([sys.executable, 'tools/train.py', f'configs/{config}.py'], root)
    for config, name in (('synthetic/tsgan_jd_sum', 'FEATURES'), ('synthetic/teacher_ir', 'B')):
        test = [sys.executable, 'tools/test.py', f'configs/{config}.py', f'work_dirs/{config}', '--out', f'{name}.npz']
        run(test, root)
    run([sys.executable, 'tools/test.py', 'configs/tsgan_jd.py', 'work_dirs/tsgan_jd'], root)
    shutil.copy(root / 'FEATURES.npz', root / 'A.npz')
    shutil.copy(root / 'data/synthetic/exp/rand_perm_cam.mat', root)
    run([sys.executable, 'tools/analysis_tools/calibrate.py', 'known/', '--out', 'site.json'], root)
    torch.save(MobileNetV2().state_dict(), root / 'mobilenet_v2_imagenet.pth')
    draw_features(root / 'REGDB.npz', [('rgb', 1), ('ir', 2)])
    draw_features(root / 'LLCM.npz', [('rgb', 1), ('rgb', 3), ('ir', 1), ('ir', 2)])


def draw_features(file, cameras):
    """Features of nothing, ten of each person by each camera."""
    rows = [(*camera, person, frame) for camera in cameras for person in range(200) for frame in FRAMES]
    modalities, camids, pids, frames = map(np.array, zip(*rows, strict=True))
    feats = np.random.default_rng(0).normal(size=(len(rows), 8)).astype(np.float32) + pids[:, None] % 7
    save_features(str(file), FeatureTable(feats, pids, camids, frames, modalities))
