"""Gloo processes that test different numbers of images, divided as the configs divide them."""

import os
from datetime import timedelta

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator

from tsgan.evaluation.metric import ReIDMetric

RANKS = 3
SIZES = range(1, 8)  # fewer images than ranks, as many, and numbers that they divide or do not


class FirstFeatures(ReIDMetric):
    """Keeps what it would measure: few images have no matches."""

    def compute_metrics(self, results):
        return {'paths': [r['img_path'] for r in results], 'feats': np.stack([r['features'][0] for r in results])}


def worker(rank, folder):
    dist.init_process_group('gloo', f'file://{folder}/rendezvous', timedelta(minutes=1), rank=rank, world_size=RANKS)
    found = {}
    for size in SIZES:
        evaluator = Evaluator(FirstFeatures(dict(type='SYSUMM01Protocol')))
        rows = list(DefaultSampler(range(size), shuffle=False))
        for start in range(0, len(rows), 2):  # of three, the last batch has one
            batch = [
                dict(feature=torch.tensor([row, 1.0]), pid=row, camid=1, modality='ir', frame=1, img_path=f'{row}.jpg')
                for row in rows[start : start + 2]
            ]
            evaluator.process(batch)
        found[size] = evaluator.evaluate(size)
    torch.save(found, folder / f'rank{rank}.pt')
    os._exit(0)  # at the end of Python, gloo may wait for ever


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('metric_of_ranks')
    here = tmp_path_factory.mktemp('current_folder')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        mp.start_processes(worker, args=(folder,), nprocs=RANKS, start_method='fork')
    assert not list(here.iterdir())  # no rank writes
    return [torch.load(folder / f'rank{rank}.pt', weights_only=False) for rank in range(RANKS)]


@pytest.mark.parametrize('size', SIZES)
def test_each_image_is_measured_once_and_in_its_place_however_many_ranks_share_them(ranks, size):
    for rank in ranks:
        assert rank[size]['paths'] == [f'{row}.jpg' for row in range(size)]
        assert rank[size]['feats'].tolist() == [[row, 1] for row in range(size)]
