import json
from dataclasses import replace

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


@pytest.fixture
def branches(table):
    """Features (N, D) of two branches, each also of the mirror images, by name."""
    rng = np.random.default_rng(7)
    shapes = {'feature': table.feats.shape[1], 'before': 5, 'after': 9}
    return {
        side: {name: rng.normal(size=(len(table), dim)).astype(np.float32) for name, dim in shapes.items()}
        for side in ('image', 'mirrored')
    }


def measured(data_samples, branches, perm_file, tmp_path, **switches):
    """What a metric with these switches logs, writes of itself, and writes as features."""
    for row, sample in enumerate(data_samples):
        named = {name: torch.from_numpy(feats[row]) for name, feats in branches['image'].items()}
        sample.set_field(named.pop('feature'), 'feature')
        sample.set_field(named, 'other_features', dtype=dict)
        flipped = {name: torch.from_numpy(feats[row]) for name, feats in branches['mirrored'].items()}
        sample.set_field(flipped, 'mirrored_features', dtype=dict)
    files = {'json_file': str(tmp_path / 'results.json'), 'features_file': str(tmp_path / 'f.npz')}
    protocol = {'type': 'SYSUMM01Protocol', 'perm_file': perm_file}
    evaluator = Evaluator(METRICS.build({'type': 'ReIDMetric', 'protocol': protocol, **files, **switches}))
    evaluator.process(data_samples)
    logged = evaluator.evaluate(len(data_samples))
    return logged, json.loads((tmp_path / 'results.json').read_text())['about'], tmp_path


def unit(feats):
    return feats / np.linalg.norm(feats, axis=1, keepdims=True)


@pytest.mark.parametrize('rerank', [False, True])
@pytest.mark.parametrize(
    ('switches', 'expected'),
    [
        (dict(features=['before']), lambda i, m: i['before']),
        (dict(mirror=True), lambda i, m: unit(i['feature']) + unit(m['feature'])),
        (dict(mirror=True, normalize=False), lambda i, m: (i['feature'] + m['feature']) / 2),
        (dict(features=['before', 'after']), lambda i, m: np.hstack([unit(i['before']), unit(i['after'])])),
        (
            dict(features=['feature', 'after'], mirror=True),
            lambda i, m: np.hstack([unit(unit(i[name]) + unit(m[name])) for name in ('feature', 'after')]),
        ),
    ],
    ids=lambda value: None if callable(value) else str(value),
)
def test_what_is_compared_is_what_the_switches_say_and_what_is_written(
    table, data_samples, branches, perm_file, tmp_path, switches, expected, rerank
):
    logged, about, out = measured(data_samples, branches, perm_file, tmp_path, rerank=rerank, **switches)
    feats = expected(branches['image'], branches['mirrored'])
    protocol, normalize = SYSUMM01Protocol(perm_file=perm_file), switches.get('normalize', True)
    by_hand = evaluate(replace(table, feats=feats.astype(np.float32)), protocol, rerank, normalize)
    for name, row in by_hand.items():
        assert [logged[f'{name}/{key}'] for key in METRIC_NAMES] == pytest.approx([row[key] for key in METRIC_NAMES])
    again = evaluate(load_features(out / 'f.npz'), protocol, rerank, normalize)
    assert again['all_single']['mAP'] == pytest.approx(logged['all_single/mAP'])
    assert {key: about[key] for key in ('features', 'mirror') if key in about} == {
        key: value for key, value in switches.items() if key != 'normalize'
    }
    names = {file.stem for file in out.glob('*.npz')}
    assert names == {'f', 'f_before', 'f_after'} | ({'f_mirrored'} if 'mirror' not in switches else set())


def test_a_sum_of_cosines_orders_as_the_sum_of_similarity_matrices(data_samples, branches, perm_file, tmp_path):
    _, _, out = measured(data_samples, branches, perm_file, tmp_path, features=['before', 'after'])
    feats, *parts = (load_features(out / f'{name}.npz').feats for name in ('f', 'f_before', 'f_after'))
    np.testing.assert_allclose(feats @ feats.T, sum(unit(part) @ unit(part).T for part in parts), atol=1e-5)
    of_mirrored = load_features(out / 'f_mirrored.npz').feats
    assert of_mirrored.shape == feats.shape and not np.allclose(of_mirrored, feats)


def test_without_switches_nothing_is_said_of_them(data_samples, branches, perm_file, tmp_path):
    _, about, _ = measured(data_samples, branches, perm_file, tmp_path)
    assert not {'features', 'mirror'} & set(about)


def test_a_feature_that_is_not_there_is_refused_with_those_that_are(data_samples, branches, perm_file, tmp_path):
    with pytest.raises(ValueError, match='compares neck, which the model does not make.*feature, before, after.'):
        measured(data_samples, branches, perm_file, tmp_path, features=['neck', 'after'])


def test_cosines_of_features_as_they_are_cannot_be_summed(perm_file):
    protocol = {'type': 'SYSUMM01Protocol', 'perm_file': perm_file}
    with pytest.raises(ValueError, match='several features, a, b: expected normalize=True.'):
        ReIDMetric(protocol, normalize=False, features=['a', 'b'])


def test_the_name_of_one_feature_is_no_list_of_letters(perm_file):
    with pytest.raises(ValueError, match="features of ReIDMetric is 'after': expected a list"):
        ReIDMetric({'type': 'SYSUMM01Protocol', 'perm_file': perm_file}, features='after')


def test_without_features_of_mirror_images_there_is_no_mean(data_samples, perm_file):
    metric = ReIDMetric({'type': 'SYSUMM01Protocol', 'perm_file': perm_file}, mirror=True)
    with pytest.raises(RuntimeError, match='MirrorFeaturesHook'):
        metric.process(None, [data_samples[0].to_dict()])


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
