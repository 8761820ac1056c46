import random
from dataclasses import replace
from types import SimpleNamespace

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.visualization import Visualizer
from torch import nn

from tsgan.evaluation import FeatureTable
from tsgan.registry import HOOKS
from tsgan.structures import Translation
from tsgan.visualization import RankedListHook, TranslationGridHook
from tsgan.visualization.grids import BORDER, GAP, GREEN, GROUP_GAP, LINE, RED, ranked_list


class Pairs:
    """Five identities, an RGB and two IR images of each; an image holds its row, and noise as an augmentation would."""

    labels = np.repeat(np.arange(5), 3)
    modalities = np.tile(['rgb', 'ir', 'ir'], 5)

    def __getitem__(self, row):
        noise = np.random.rand() + random.random() + torch.rand(()).item()
        return {'inputs': torch.full((3, 8, 4), row / 10 + noise / 100), 'data_samples': row}


class Invert(nn.Module):
    """Generators whose fakes are the negatives; remembers what they saw, and in which mode."""

    def __init__(self):
        super().__init__()
        self.frozen_part = nn.BatchNorm2d(3).eval()
        self.seen = []

    def forward(self, rgb, ir):
        self.seen.append((rgb, ir, self.training, torch.is_grad_enabled()))
        return Translation(-rgb, -ir, rgb, ir)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.generators = Invert()

    def data_preprocessor(self, data, training):
        assert not training
        return {'inputs': torch.stack(data['inputs'])}


@pytest.fixture
def runner(tmp_path):
    visualizer = Visualizer(vis_backends=[{'type': 'LocalVisBackend'}], save_dir=str(tmp_path / 'run'))
    return SimpleNamespace(
        model=Model(),
        train_dataloader=SimpleNamespace(dataset=Pairs(), collate_fn=pseudo_collate),
        visualizer=visualizer,
        work_dir=str(tmp_path),
        logger=MMLogger.get_instance('tsgan-test'),
        epoch=0,
        max_epochs=5,
    )


def train_epoch(hook, runner):
    hook.after_train_epoch(runner)
    runner.epoch += 1


def files(tmp_path):
    return sorted(file.name for file in (tmp_path / 'run').rglob('*.png'))


def test_hooks_are_registered():
    assert isinstance(HOOKS.build({'type': 'TranslationGridHook', 'interval': 2}), TranslationGridHook)
    assert isinstance(HOOKS.build({'type': 'RankedListHook', 'topk': 5}), RankedListHook)


def test_translation_grid_shows_the_same_pairs_every_time(runner):
    hook, resumed = TranslationGridHook(num_images=3), TranslationGridHook(num_images=3)
    hook.before_train(runner)
    train_epoch(hook, runner)
    train_epoch(hook, runner)
    resumed.before_train(runner)
    train_epoch(resumed, runner)
    (rgb, ir, training, gradients), *others = runner.model.generators.seen
    assert not training and not gradients
    for other in others:
        torch.testing.assert_close((rgb, ir), other[:2], rtol=0, atol=0)
    rows = list(hook.data['data_samples'])
    assert Pairs.modalities[rows].tolist() == ['rgb'] * 3 + ['ir'] * 3
    assert (Pairs.labels[rows[:3]] == Pairs.labels[rows[3:]]).all() and len(set(rows[:3])) == 3


def test_translation_grid_shows_the_first_view_of_each(runner):
    class Views(Pairs):
        def __getitem__(self, row):
            made = super().__getitem__(row)
            return [made, None] if self.modalities[row] == 'rgb' else [made]

    plain, views = TranslationGridHook(num_images=3), TranslationGridHook(num_images=3)
    plain.before_train(runner)
    runner.train_dataloader.dataset = Views()
    runner.train_dataloader.collate_fn = lambda rows: pseudo_collate([view for row in rows for view in row])
    views.before_train(runner)
    assert list(views.data['data_samples']) == list(plain.data['data_samples'])
    assert all(torch.equal(a, b) for a, b in zip(views.data['inputs'], plain.data['inputs'], strict=True))


def test_translation_grid_leaves_modes_and_random_numbers_alone(runner):
    generators = runner.model.generators.train()
    generators.frozen_part.eval()

    def draws():
        return random.random(), np.random.rand(), torch.rand(()).item()

    def seed():
        random.seed(3), np.random.seed(3), torch.manual_seed(3)

    seed()
    expected = draws()
    seed()
    hook = TranslationGridHook()
    hook.before_train(runner)
    train_epoch(hook, runner)
    assert draws() == expected
    assert generators.training and not generators.frozen_part.training


def test_translation_grid_comes_every_interval_and_at_the_end(runner, tmp_path):
    hook = TranslationGridHook(interval=2, num_images=1)
    hook.before_train(runner)
    for _ in range(5):
        train_epoch(hook, runner)
    assert files(tmp_path) == ['translation_grid_2.png', 'translation_grid_4.png', 'translation_grid_5.png']
    newest = cv2.imread(str(tmp_path / 'translation_grid.jpg'))
    assert newest.shape == cv2.imread(str(next((tmp_path / 'run').rglob('*_5.png')))).shape


def test_translation_grid_leaves_a_model_without_generators_alone(runner, tmp_path):
    runner.model = nn.Linear(1, 1)
    hook = TranslationGridHook()
    hook.before_train(runner)
    train_epoch(hook, runner)
    assert list(tmp_path.iterdir()) == []


# RankedListHook: 3 RGB gallery images and one IR query of each of 2 identities. Features are vectors at an angle.
ANGLES = {'query': [0, 90], 'gallery': [5, 20, 60, 89, 40, 1]}
IDENTITIES = {'query': [1, 2], 'gallery': [1, 2, 2, 2, 1, 1]}
LENGTHS = np.array([7, 7, 12, 7, 7, 7, 7, 7], np.float32)
GRAY = [10, 20, 100, 110, 120, 130, 140, 150]  # of each image, queries first


@pytest.fixture
def evaluated(runner, tmp_path):
    angles = np.deg2rad(ANGLES['query'] + ANGLES['gallery'])
    folders = {1: 'Матвей', 2: 'bob'}
    paths = []
    pids = IDENTITIES['query'] + IDENTITIES['gallery']
    for row, (pid, value) in enumerate(zip(pids, GRAY, strict=True)):
        paths.append(str(tmp_path / 'images' / folders[pid] / f'{row}.bmp'))
        mmcv.imwrite(np.full((10, 5, 3), value, np.uint8), paths[-1])
    features = FeatureTable(
        feats=LENGTHS[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32),
        pids=pids,
        camids=[3, 3, 1, 1, 1, 1, 1, 2],
        modalities=['ir'] * 2 + ['rgb'] * 6,
        paths=paths,
    )

    def exclude(table, query, gallery):
        return (table.camids[query] == 3)[:, None] & (table.camids[gallery] == 2)

    def make(exclude=exclude, normalize=True, dataset_meta=None, **changes):
        setting = SimpleNamespace(trials=[(np.arange(2), np.arange(2, 8))], exclude=exclude)
        protocol = SimpleNamespace(settings=lambda table: {'first': setting})
        last = SimpleNamespace(features=replace(features, **changes))
        metric = SimpleNamespace(protocol=protocol, normalize=normalize, last=last, dataset_meta=dataset_meta)
        runner.val_evaluator = runner.test_evaluator = SimpleNamespace(metrics=[object(), metric])
        return runner

    return make


def drawn(tmp_path, rows, ranks):
    """(query, [(value, border), ...]) of every row of the picture."""
    image = cv2.cvtColor(cv2.imread(str(next((tmp_path / 'run').rglob('ranked_list*.png')))), cv2.COLOR_BGR2RGB)
    step_x = 96 + 2 * BORDER + GAP
    assert image.shape[1] == GAP + 96 + 2 * BORDER + GROUP_GAP + ranks * step_x
    found = []
    for row in range(rows):
        y = LINE + row * (192 + 2 * BORDER + 3 * LINE + GAP)
        xs = [GAP + 96 + 2 * BORDER + GROUP_GAP + rank * step_x for rank in range(ranks)]
        ranked = [(int(image[y + 50, x + 50, 0]), tuple(int(c) for c in image[y + 50, x])) for x in xs]
        found.append((int(image[y + 50, GAP + 50, 0]), ranked))
    return dict(found)


def test_images_of_more_than_eight_bits_are_drawn_by_the_range_of_the_data_set(evaluated, tmp_path):
    paths = []
    for row, value in enumerate(GRAY[:2]):  # the queries, infrared
        paths.append(str(tmp_path / f'{row}.png'))
        cv2.imwrite(paths[-1], np.full((10, 5), 7552 + 2 * value, np.uint16))
    plain = evaluated().val_evaluator.metrics[1].last.features.paths
    runner = evaluated(paths=[*paths, *plain[2:]], dataset_meta={'value_range': {'ir': (7552, 7552 + 2 * 255)}})
    RankedListHook().after_test_epoch(runner, {})
    assert list(drawn(tmp_path, rows=2, ranks=5)) == GRAY[:2]


@pytest.mark.parametrize(('event', 'step'), [('after_val_epoch', 3), ('after_test_epoch', 0)])
def test_ranked_list_orders_by_distance_and_leaves_out_what_is_excluded(evaluated, tmp_path, event, step):
    runner = evaluated()
    runner.epoch = 3
    getattr(RankedListHook(), event)(runner, {})
    assert files(tmp_path) == [f'ranked_list_{step}.png']
    assert (tmp_path / 'ranked_list.jpg').is_file()
    g, r = GREEN, RED
    assert drawn(tmp_path, rows=2, ranks=5) == {
        10: [(100, g), (110, r), (140, g), (120, r), (130, r)],  # angles 5 20 40 60 89; 1 is of camera 2
        20: [(130, g), (120, g), (140, r), (110, g), (100, r)],
    }


def test_ranked_list_without_exclusions_and_with_few_ranks(evaluated, tmp_path):
    RankedListHook(topk=2).after_val_epoch(evaluated(exclude=None), {})
    assert drawn(tmp_path, rows=2, ranks=2) == {10: [(150, GREEN), (100, GREEN)], 20: [(130, GREEN), (120, GREEN)]}


def test_ranked_list_orders_as_they_are_the_features_that_the_metric_takes_so(evaluated, tmp_path):
    RankedListHook(topk=3).after_val_epoch(evaluated(exclude=None, normalize=False), {})
    # from the query at 0 degrees, the image at 5 is 5.1 away, as it is longer; those at 1, 20 and 40 are 0.1, 2.4, 4.8
    assert [value for value, _ in drawn(tmp_path, rows=2, ranks=3)[10]] == [150, 110, 140]


def test_ranked_list_draws_queries_that_have_a_match_only(evaluated, tmp_path):
    runner = evaluated(exclude=lambda table, query, gallery: (table.pids[gallery] == 2)[None].repeat(len(query), 0))
    RankedListHook().after_val_epoch(runner, {})
    assert list(drawn(tmp_path, rows=1, ranks=3)) == [10]


def test_ranked_list_leaves_another_metric_alone(runner, tmp_path):
    runner.val_evaluator = SimpleNamespace(metrics=[object()])
    RankedListHook().after_val_epoch(runner, {})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def captions(monkeypatch):
    """What the next ranked list is told to write: (under the queries, under the gallery images)."""
    told = []

    def spy(*arguments):
        told.append(arguments[3:])
        return ranked_list(*arguments)

    monkeypatch.setattr('tsgan.visualization.rankings.ranked_list', spy)
    return lambda: told[-1]


def test_ranked_list_calls_people_by_their_folder_and_says_what_its_numbers_are(evaluated, captions):
    RankedListHook(topk=2).after_val_epoch(evaluated(), {})
    queries, galleries = captions()
    row = queries.index('Матвей\nIR')  # of one camera, whose number nobody gave
    chord = 2 * np.sin(np.deg2rad(5) / 2)
    assert galleries[row] == [f'Матвей\nRGB camera 1\ndistance {chord:.2f}', 'bob\nRGB camera 1\ndistance 0.35']
    assert queries[1 - row] == 'bob\nIR'


def test_ranked_list_numbers_people_where_their_folder_is_shared(evaluated, captions, tmp_path):
    together = [str(tmp_path / f'{row}.bmp') for row in range(8)]
    for path in together:
        mmcv.imwrite(np.zeros((10, 5, 3), np.uint8), path)
    RankedListHook().after_val_epoch(evaluated(paths=together), {})
    assert sorted(captions()[0]) == ['id 1\nIR', 'id 2\nIR']
