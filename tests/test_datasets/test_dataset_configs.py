from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'


def load(name, root):
    cfg = Config.fromfile(CONFIGS / name)
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if key in cfg:
            cfg[key].dataset.data_root = str(root)
            cfg[key].num_workers = 0
    return cfg


def build(cfg):
    with DefaultScope.overwrite_default_scope('tsgan'):
        return Runner.build_dataloader(cfg, seed=0)


@pytest.mark.parametrize(
    ('name', 'train', 'val'), [('sysu_mm01.py', [2, 9, 40], None), ('sysu_mm01_296.py', [2, 9], [40])]
)
def test_sysu_config_trains_and_validates_on_its_own_identities_and_tests_on_others(sysu_root, name, train, val):
    cfg = load(name, sysu_root)
    assert build(cfg.test_dataloader | {'batch_size': 1}).dataset.pids.tolist() == [5]
    cfg.train_dataloader.batch_size = 16
    assert build(cfg.train_dataloader).dataset.pids.tolist() == train
    assert (build(cfg.val_dataloader).dataset.pids.tolist() if 'val_dataloader' in cfg else None) == val


def test_image_folder_config_splits_the_identities(folder_root):
    cfg = load('image_folder.py', folder_root)
    cfg.train_dataloader.batch_size = 16
    train, test = build(cfg.train_dataloader).dataset, build(cfg.test_dataloader).dataset
    assert set(train.pids) | set(test.pids) == set(range(10))
    assert train.num_ids == test.num_ids == 5


def test_regdb_config_trains_and_tests_on_the_two_subsets_of_one_split(regdb_root):
    cfg = load('regdb.py', regdb_root)
    cfg.train_dataloader.batch_size = 16
    train, test = (build(cfg[loader]).dataset for loader in ('train_dataloader', 'test_dataloader'))
    assert cfg.split == train.split == test.split == 1
    assert (train.subset, test.subset) == ('train', 'test')
    assert (len(train), len(test)) == (10, 10)


def test_llcm_config_trains_and_tests_on_its_two_splits(llcm_root):
    cfg = load('llcm.py', llcm_root)
    cfg.train_dataloader.batch_size = 16
    train, test = (build(cfg[loader]).dataset for loader in ('train_dataloader', 'test_dataloader'))
    assert train.pids.tolist() == [0, 1]
    assert test.pids.tolist() == [4, 1064]


ROOTS = {
    'sysu_mm01.py': 'sysu_root',
    'sysu_mm01_296.py': 'sysu_root',
    'image_folder.py': 'folder_root',
    'regdb.py': 'regdb_root',
    'llcm.py': 'llcm_root',
}


@pytest.mark.parametrize('name', ROOTS)
def test_test_images_come_whole_in_order_and_without_augmentation(name, request):
    loader = build(load(name, request.getfixturevalue(ROOTS[name])).test_dataloader)
    first, second = list(loader), list(loader)
    paths = [sample.img_path for batch in first for sample in batch['data_samples']]
    assert paths == loader.dataset.column('img_path').tolist()
    for a, b in zip(first, second, strict=True):
        assert a['inputs'].shape[1:] == ((3, 128, 64) if name == 'image_folder.py' else (3, 256, 128))
        assert (a['inputs'] == b['inputs']).all()


@pytest.mark.parametrize('name', ROOTS)
def test_evaluators_are_built_by_their_configs(name):
    cfg = Config.fromfile(CONFIGS / name)
    for key in ('val_evaluator', 'test_evaluator'):
        if key in cfg:
            if 'perm_file' in cfg[key].protocol:  # no data set is here: the sampling that needs no file
                cfg[key].protocol.update(perm_file=None, shots=[1])
            with DefaultScope.overwrite_default_scope('tsgan'):
                Evaluator(cfg[key])
