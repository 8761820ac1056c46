import random
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from tsgan.visualization.batches import draw_batches


class Doubled:
    """Three people, an RGB and an IR image of each; the pipeline doubles values, plus noise, and gives red first."""

    def __init__(self, folder, modalities=('rgb', 'ir'), dtype=torch.uint8):
        self.records, self.dtype = [], dtype
        for row, (pid, modality) in enumerate((pid, modality) for pid in (1, 2, 3) for modality in modalities):
            path = folder / f'person {pid}' / f'{row}.png'
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), np.full((8, 4, 3), 10 * (row + 1), np.uint8))
            self.records.append({'img_path': str(path), 'pid': pid, 'modality': modality})

    def get_data_info(self, row):
        return self.records[row]

    def __getitem__(self, row):
        noise = (np.random.rand() < 0.5) + (random.random() < 0.5) + int(torch.rand(()) < 0.5)
        values = torch.tensor([0, 0, 20 * (row + 1) + noise], dtype=self.dtype)
        return {'inputs': values[:, None, None].expand(3, 8, 4)}


@pytest.fixture
def told(monkeypatch):
    """(groups, captions) of each picture: name of the row -> the red of its images."""
    pictures = []

    def spy(groups, cell, captions):
        reds = [{name: [int(image[..., 0].mean()) for image in row] for name, row in group.items()} for group in groups]
        pictures.append((reds, captions))
        return np.zeros((1, 1, 3), np.uint8)

    monkeypatch.setattr('tsgan.visualization.batches.picture_rows', spy)
    return pictures


def draw(dataset, batches, **arguments):
    return list(draw_batches(SimpleNamespace(dataset=dataset, batch_sampler=batches), **arguments))


def near(values, expected):
    return [value - value % 10 for value in values] == expected


def test_pairs_stand_below_each_other_before_and_after(tmp_path, told):
    draw(Doubled(tmp_path), [[2, 0, 3, 1], [4, 5]], number=2)
    (groups, captions), (second, _) = told
    assert captions == [['person 2', 'person 1']]
    (group,) = groups
    assert list(group) == ['RGB, file', 'RGB, after', 'IR, file', 'IR, after']
    assert group['RGB, file'] == [30, 10] and near(group['RGB, after'], [60, 20])
    assert group['IR, file'] == [40, 20] and near(group['IR, after'], [80, 40])
    assert second[0]['RGB, file'] == [50]


def test_images_that_make_no_pairs_stand_in_groups_of_their_modality(tmp_path, told):
    draw(Doubled(tmp_path), [[0, 3, 2]])
    groups, captions = told[0]
    assert [group.get('RGB, file') or group['IR, file'] for group in groups] == [[10, 30], [40]]
    assert captions == [['person 1', 'person 2'], ['person 2']]


def test_a_batch_wraps_and_can_be_cut(tmp_path, told):
    dataset = Doubled(tmp_path, modalities=('ir',))
    draw(dataset, [[0, 1, 2] * 4])
    draw(dataset, [[0, 1, 2] * 4], most=5)
    assert [len(group['IR, file']) for group in told[0][0]] == [8, 4]
    assert [len(group['IR, file']) for group in told[1][0]] == [5]


def test_a_seed_gives_the_same_augmentation_and_leaves_other_randomness_alone(tmp_path, told):
    dataset, batches = Doubled(tmp_path), [[0, 1, 2, 3, 4, 5]] * 2
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    expected = random.random(), np.random.rand(), torch.rand(()).item()
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    for seed in (0, 0, 5):
        draw(dataset, batches, number=2, seed=seed)
    assert (random.random(), np.random.rand(), torch.rand(()).item()) == expected
    first, second, again, _, other, _ = told
    assert first == again != second and other != first


def test_each_view_has_a_row(tmp_path, told):
    class Views(Doubled):
        def __getitem__(self, row):
            made = super().__getitem__(row)
            dark = {'inputs': made['inputs'] // 2}
            return [made, dark] if self.records[row]['modality'] == 'rgb' else [dark]

    draw(Views(tmp_path), [[2, 0, 3, 1]])
    ((group,), _) = told[0]
    assert list(group) == ['RGB, file', 'RGB, view 1', 'RGB, view 2', 'IR, file', 'IR, after']
    assert near(group['RGB, view 1'], [60, 20]) and near(group['RGB, view 2'], [30, 10])
    assert near(group['IR, after'], [40, 20])


def test_what_is_no_image_any_more_is_refused(tmp_path):
    with pytest.raises(ValueError, match='the pipeline ends in torch.float32 of shape'):
        draw(Doubled(tmp_path, dtype=torch.float32), [[0, 1]])


def test_the_picture_is_made(tmp_path):
    (picture,) = draw(Doubled(tmp_path), [[0, 2, 1, 3]])
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
