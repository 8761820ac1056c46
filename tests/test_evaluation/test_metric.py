import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample

from tsgan.evaluation import METRIC_NAMES, SYSUMM01Protocol, evaluate, load_features
from tsgan.evaluation.metric import ReIDMetric
from tsgan.registry import METRICS, TASK_UTILS


@pytest.fixture
def data_samples(table):
    """What a model's `predict` returns, an image each."""
    made = []
    for row in range(len(table)):
        sample = DataSample(
            metainfo={
                'pid': int(table.pids[row]),
                'camid': int(table.camids[row]),
                'frame': int(table.frames[row]),
                'modality': str(table.modalities[row]),
                'img_path': f'data/{row}.jpg',
            }
        )
        sample.set_field(torch.from_numpy(table.feats[row]), 'feature')
        made.append(sample)
    return made


@pytest.mark.parametrize('rerank', [False, True])
def test_the_metric_gives_what_evaluate_gives(table, data_samples, perm_file, tmp_path, rerank):
    config = {
        'type': 'ReIDMetric',
        'protocol': {'type': 'SYSUMM01Protocol', 'perm_file': perm_file},
        'rerank': rerank,
        'json_file': str(tmp_path / 'results.json'),
        'features_file': str(tmp_path / 'features.npz'),
        'training_identities': 'train+val (395), last checkpoint',
    }
    metric = METRICS.build(config)
    assert isinstance(metric, ReIDMetric)
    assert metric.last is None
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = {'data_root': 'data'}
    evaluator.process(data_samples[:50])
    evaluator.process(data_samples[50:])
    logged = evaluator.evaluate(len(data_samples))

    protocol = SYSUMM01Protocol(perm_file=perm_file)
    expected = evaluate(table, protocol, rerank)
    assert logged == {f'{name}/{key}': row[key] for name, row in expected.items() for key in METRIC_NAMES}

    assert metric.last.results == expected
    assert metric.last.features.paths.tolist() == [f'data/{row}.jpg' for row in range(len(table))]
    np.testing.assert_array_equal(metric.last.features.feats, table.feats)

    written = json.loads((tmp_path / 'results.json').read_text())
    about = written.pop('about')
    assert written == expected
    assert about == {
        **protocol.describe(),
        'rerank': rerank,
        'normalize': True,
        'training_identities': 'train+val (395), last checkpoint',
    }
    loaded = load_features(tmp_path / 'features.npz')
    assert evaluate(loaded, protocol, rerank) == expected
    assert loaded.paths[0] == f'{np.flatnonzero(table.modalities == "ir")[0]}.jpg'


def test_the_log_holds_the_table(data_samples, perm_file, caplog):
    metric = METRICS.build({'type': 'ReIDMetric', 'protocol': {'type': 'SYSUMM01Protocol', 'perm_file': perm_file}})
    from mmengine.logging import MMLogger

    logger = MMLogger.get_instance('test_reid_metric', logger_name='test_reid_metric')
    logger.addHandler(caplog.handler)
    metric.process(None, [sample.to_dict() for sample in data_samples])
    metric.evaluate(len(data_samples))
    assert 'indoor_multi' in caplog.text
    assert 'official x10' in caplog.text


@pytest.mark.parametrize(
    'config',
    [
        {'type': 'SYSUMM01Protocol', 'shots': [1]},
        {'type': 'SingleModalityProtocol', 'modality': 'ir'},
        {'type': 'CrossModalityProtocol'},
    ],
)
def test_protocols_are_built_by_name(config):
    assert type(TASK_UTILS.build(config)).__name__ == config['type']
