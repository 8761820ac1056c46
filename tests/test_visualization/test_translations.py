from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from tsgan.structures import Translation
from tsgan.visualization.translations import choose_pairs, draw_translated, draw_translations


class Darken(nn.Module):
    """Fakes are half as bright as what they are of, reconstructions black."""

    def forward(self, rgb, ir):
        assert not torch.is_grad_enabled() and not self.training
        return Translation((rgb - 1) / 2, (ir - 1) / 2, rgb * 0 - 1, ir * 0 - 1)


@pytest.fixture
def told(monkeypatch):
    """What the grid is told to draw: name of the row -> the mean of each image."""
    rows = {}

    def spy(**images):
        rows.update({name: [round(float(image.mean())) for image in side] for name, side in images.items()})
        return np.zeros((1, 1, 3), np.uint8)

    monkeypatch.setattr('tsgan.visualization.translations.translation_grid', spy)
    return rows


def images(*values):
    """(N, 3, 8, 4) in [-1, 1], of one gray each."""
    return torch.tensor(values)[:, None, None, None].expand(-1, 3, 8, 4) / 127.5 - 1


def test_each_image_stands_with_what_was_made_of_it(told):
    draw_translations(Darken().train(), images(100.0, 200.0), images(50.0))
    assert told == {
        'real_rgb': [100, 200], 'fake_ir': [50, 100], 'rec_rgb': [0, 0],
        'real_ir': [50], 'fake_rgb': [25], 'rec_ir': [0],
    }  # fmt: skip


@pytest.mark.parametrize('modality', ['rgb', 'ir'])
def test_images_of_one_modality_alone_are_translated(modality):
    one, none = images(100.0), images(100.0)[:0]
    rgb, ir = (one, none) if modality == 'rgb' else (none, one)
    both = draw_translations(Darken(), one, one)
    grid = draw_translations(Darken(), rgb, ir)
    assert grid.shape[1] == both.shape[1] and 0.4 < len(grid) / len(both) < 0.6


def test_pairs_are_of_identities_that_have_both_modalities():
    labels, modalities = np.array([0, 0, 1, 2, 2, 2]), np.array(['rgb', 'ir', 'rgb', 'ir', 'ir', 'rgb'])
    dataset = SimpleNamespace(labels=labels, modalities=modalities)
    for seed in range(5):
        rows = choose_pairs(dataset, 8, seed)
        assert modalities[rows].tolist() == ['rgb'] * 2 + ['ir'] * 2
        assert sorted(labels[rows[:2]]) == [0, 2] and labels[rows[:2]].tolist() == labels[rows[2:]].tolist()
    with pytest.raises(ValueError, match='No identity of the data set has an image of each modality'):
        choose_pairs(SimpleNamespace(labels=labels[:1], modalities=modalities[:1]), 8)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.generators = Darken()

    def data_preprocessor(self, data, training):
        assert not training
        return {'inputs': data['inputs'] / 127.5 - 1}


def read(record):
    return {'inputs': torch.from_numpy(cv2.imread(record['img_path'])).permute(2, 0, 1)}


def test_files_are_drawn_by_their_modality(told, tmp_path):
    records = []
    for value, modality in ((10, 'ir'), (20, 'rgb'), (30, 'ir')):
        path = str(tmp_path / f'{value}.png')
        cv2.imwrite(path, np.full((8, 4, 3), value, np.uint8))
        records.append({'img_path': path, 'modality': modality})
    draw_translated(Model(), records, read)
    assert told['real_rgb'] == [20] and told['real_ir'] == [10, 30] and told['fake_rgb'] == [5, 15]
    with pytest.raises(ValueError, match='Linear has no generators'):
        draw_translated(nn.Linear(1, 1), records, read)
