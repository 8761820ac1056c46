"""The wheel in an environment of its own, where a person has no checkout: what is there after ``pip install tsgan``.

That environment finds all other packages where this one has them, by a ``.pth`` file; those in it are not followed, so
an editable tsgan is not there.
"""

import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tsgan.datasets.synthetic import render_dataset
from tsgan.places import CHECKOUT

MODEL = 'tsgan-jd_small_synthetic'
LEFT_OUT = ('.git', '.venv', 'data', 'work_dirs', 'build', 'dist', '*.egg-info', '.mim', '__pycache__', '.*_cache')
ENV = {key: value for key, value in os.environ.items() if not key.startswith('PYTHON')} | {'CUDA_VISIBLE_DEVICES': ''}


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The wheel, built from the source distribution, with nothing from the network."""
    root = tmp_path_factory.mktemp('build')
    source = root / 'source'
    shutil.copytree(CHECKOUT, source, ignore=shutil.ignore_patterns(*LEFT_OUT))
    call([sys.executable, 'setup.py', '-q', 'sdist', '--dist-dir', root], cwd=source)
    (archive,) = root.glob('*.tar.gz')
    shutil.rmtree(source)
    command = [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-index', '--no-build-isolation']
    call([*command, '-w', root, archive], cwd=root)
    (file,) = root.glob('*.whl')
    return file


@pytest.fixture(scope='module')
def programs(wheel, tmp_path_factory):
    """Folder of the programs of an environment in which the wheel is installed."""
    root = tmp_path_factory.mktemp('environment')
    venv.create(root)
    python = root / 'bin/python'
    pip = [sys.executable, '-m', 'pip', '--python', python]
    call([*pip, 'install', '-q', '--no-deps', '--no-index', wheel], cwd=root)
    (packages,) = root.glob('lib/*/site-packages')
    (packages / 'others.pth').write_text('\n'.join(site.getsitepackages()))
    return python.parent


@pytest.fixture
def photos(tmp_path):
    """Six people as two cameras see them."""
    root = tmp_path / 'rendered'
    render_dataset(root, num_train=1, num_val=0, num_test=6, num_pretrain=0, frames=1, workers=1)
    for camera, name in (('cam1', 'gallery'), ('cam3', 'queries')):
        shutil.move(root / camera, tmp_path / name)
    shutil.rmtree(root)
    return tmp_path


def call(command, cwd):
    """What a command says on stdout."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=ENV, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_has_what_the_checkout_has(programs, tmp_path):
    code = 'from tsgan.places import ROOT; from tsgan.checkpoints import WEIGHTS; print(ROOT, WEIGHTS, sep="\\n")'
    root, weights = map(Path, call([programs / 'python', '-c', code], tmp_path).splitlines())
    assert root.is_relative_to(programs.parent) and weights.is_relative_to(programs.parent)
    for folder, copy in [(CHECKOUT / name, root / name) for name in ('tools', 'configs', 'demo')] + [
        (CHECKOUT / 'tsgan/weights', weights)
    ]:
        assert files(copy) == files(folder) != set()
    assert call([programs / 'tsgan', '--help'], tmp_path) == call([sys.executable, '-m', 'tsgan'], CHECKOUT)


def files(folder):
    return {file.relative_to(folder) for file in folder.rglob('*') if file.is_file() and file.suffix != '.pyc'}


HUBS = f"""
import mmengine.hub, mmpretrain, tsgan

assert mmengine.hub.get_config('tsgan::tsgan_jd.py').model.type == 'TSGAN'
assert '/.mim/configs/' in mmengine.hub.get_config('tsgan::synthetic/rivals/hog.py').filename
assert '{MODEL}' in mmpretrain.list_models('tsgan*')
asked = mmpretrain.get_model('{MODEL}', pretrained=True), mmengine.hub.get_model('tsgan::synthetic/tsgan_jd.py')
print(*(type(model).__name__ for model in asked))
"""


def test_hubs_know_the_configs_and_models_of_the_wheel(programs, tmp_path):
    assert call([programs / 'python', '-c', HUBS], tmp_path).splitlines()[-1] == 'TSGAN TSGAN'


FIVE_LINES = f"""
from tsgan.apis import Gallery, ReIDInferencer
reid = ReIDInferencer('{MODEL}')
gallery = Gallery.build(reid, 'gallery/')
gallery.save('my.gallery')
hits = Gallery.load('my.gallery', reid).search(reid.extract('queries'), topk=3)
print(len(gallery), [len(ranked) for ranked in hits])
"""


def test_five_lines_search_a_folder(programs, photos):
    assert call([programs / 'python', '-c', FIVE_LINES], photos).splitlines()[-1] == f'7 {[3] * 7}'


@pytest.mark.slow
def test_a_config_of_the_wheel_is_trained_and_tested_in_a_folder_of_ones_own(programs, tmp_path):
    counts = ['--num-train', 4, '--num-val', 0, '--num-test', 2, '--num-pretrain', 0, '--frames', 2]
    call([programs / 'tsgan', 'render', 'data/synthetic', *counts], tmp_path)
    options = ['model.reid.head.num_classes=4', 'train_dataloader.batch_sampler.num_batches=1']
    options += ['train_dataloader.batch_size=8', 'train_cfg.max_epochs=1', 'model.reid.encoder.checkpoint=None']
    call([programs / 'tsgan', 'train', 'configs/synthetic/backbone.py', '--cfg-options', *options], tmp_path)
    work_dir = 'work_dirs/synthetic/backbone'
    shots = ['test_evaluator.protocol.shots=[1]', options[0]]
    call([programs / 'tsgan', 'test', 'configs/synthetic/backbone.py', work_dir, '--cfg-options', *shots], tmp_path)
    assert (tmp_path / work_dir / 'results.json').is_file()
