"""The weights that come with the package: what their card says, and that they are of use."""

import hashlib
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config

from tsgan.apis import ReIDInferencer, get_model
from tsgan.checkpoints import WEIGHTS, open_checkpoint, shipped, weights_of
from tsgan.datasets.synthetic import identity, image_rng, render_image
from tsgan.places import ROOT
from tsgan.registry import MODELS

NAME = 'tsgan-jd_small_synthetic'


@pytest.fixture(scope='module')
def card():
    return json.loads((WEIGHTS / f'{NAME}.json').read_text())


def test_they_are_at_most_8_mb_with_their_cards():
    assert sum(file.stat().st_size for file in WEIGHTS.iterdir()) <= 8e6


def test_the_card_is_about_this_file(card):
    file = shipped(NAME)
    assert card['name'] == NAME and hashlib.sha256(file.read_bytes()).hexdigest() == card['sha256']
    content = open_checkpoint(file)
    assert sum(t.numel() for t in weights_of(content).values()) == card['values']
    assert len(content['meta']['trained_identities']) == card['trained_identities'] == 1800
    assert (ROOT / card['config']).is_file() and card['licence'] and 'No real camera' in card['limits']
    assert '"/' not in json.dumps(card), 'a path of the machine that made it'


def test_nobody_of_the_people_that_results_stand_on_is_among_those_of_its_training():
    seeds = {name.split('/')[-1].split('-')[0] for name in open_checkpoint(shipped(NAME))['meta']['trained_identities']}
    assert seeds == {'11', '12', '13', '14', '15', '16'}  # results: 1; the page: 21


def test_they_find_rendered_people_across_modalities():
    people = [identity(99, pid) for pid in range(16)]
    cameras = {'ir': 3, 'rgb': 1}
    images = {
        modality: [render_image(person, cam, image_rng(99, cam, pid, 1), seed=99) for pid, person in enumerate(people)]
        for modality, cam in cameras.items()
    }
    reid = ReIDInferencer(NAME)
    scores = reid.extract(images['ir']) @ reid.extract(images['rgb']).T  # (16, 16)
    ranks = (scores > np.diag(scores)[:, None]).sum(axis=1)
    assert ranks.mean() < 4.5 and (ranks < 5).mean() > 0.6  # chance: 7.5, 0.31


@pytest.mark.parametrize('child', ['reid', 'teacher'])
def test_an_encoder_begins_with_them_by_their_name(child):
    cfg = Config.fromfile(ROOT / 'configs/synthetic/tsgan_jd.py').model[child].encoder
    cfg.update(type='Encoder', checkpoint=NAME)
    encoder = MODELS.build(cfg)
    encoder.init_weights()
    weights = weights_of(open_checkpoint(shipped(NAME)))
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, weights[f'reid.encoder.{name}'].to(tensor.dtype)), name


def test_a_model_of_that_name_translates_both_ways():
    model = get_model(NAME)
    assert 'generators' in model.complete
    image = render_image(identity(99, 1), 1, image_rng(99, 1, 1, 1), seed=99)
    fake = ReIDInferencer(NAME).translate(image)
    assert fake.shape == (96, 48, 3) and fake.std() > 10
    assert np.ptp(fake.astype(int), axis=2).max() <= 1  # infrared is gray
