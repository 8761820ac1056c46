import hashlib
import json

import pytest
import torch

from tsgan.checkpoints import meta_of, open_checkpoint, weights_of
from tsgan.experiments import publish

PEOPLE = ['SYSUMM01/mine/1', 'SYSUMM01/mine/2']
META = dict(
    epoch=3,
    iter=30,
    seed=7,
    cfg="data_root = 'data/mine'\n",
    trained_identities=PEOPLE,
    dataset_meta=dict(value_range=dict(ir=(10, 900)), data_root='/home/somebody/mine'),
    experiment_name='x',
)


@pytest.fixture
def state(make_tsgan):
    return make_tsgan().state_dict()


@pytest.fixture
def checkpoint(state, tmp_path):
    file = tmp_path / 'epoch_3.pth'
    torch.save(dict(state_dict=state, meta=META, optimizer=dict(state=torch.zeros(5)), message_hub={}), file)
    return file


@pytest.fixture
def results(tmp_path):
    row = dict.fromkeys(['R1', 'R5', 'R10', 'R20', 'mAP', 'mINP'], 12.3456) | dict(num_trials=10)
    about = dict(protocol='SYSUMM01Protocol', checkpoint='elsewhere/epoch_3.pth', config='/home/somebody/configs/a.py')
    file = tmp_path / 'results.json'
    file.write_text(json.dumps({'all_single': row, 'about': about}))
    return file


def test_what_a_test_and_a_translation_need_is_kept_as_it_was(checkpoint, state, tmp_path):
    publish(checkpoint, tmp_path / 'new' / 'model.safetensors')
    found = weights_of(open_checkpoint(tmp_path / 'new' / 'model.safetensors'))
    wanted = {n for n in state if n.startswith(('reid.', 'generators.')) and 'classifier' not in n}
    assert found.keys() == wanted and len(wanted) < len(state)
    assert all(torch.equal(found[name], state[name]) for name in wanted)
    assert (tmp_path / 'new' / 'model.safetensors').stat().st_mode & 0o044  # for others, too
    publish(checkpoint, tmp_path / 'all.safetensors', classifier=True, keep=('reid.',))
    found = weights_of(open_checkpoint(tmp_path / 'all.safetensors'))
    assert found.keys() == {name for name in state if name.startswith('reid.')}


def test_the_file_goes_on_saying_whom_it_knows_and_how_images_were_scaled_and_no_more(checkpoint, tmp_path):
    publish(checkpoint, tmp_path / 'model.safetensors')
    meta = meta_of(open_checkpoint(tmp_path / 'model.safetensors'))
    assert meta['trained_identities'] == PEOPLE
    assert meta['dataset_meta'] == dict(value_range=dict(ir=[10, 900]))
    assert meta.keys() == {'cfg', 'epoch', 'iter', 'seed', 'trained_identities', 'dataset_meta', 'sha256'}
    assert b'somebody' not in (tmp_path / 'model.safetensors').read_bytes()


def test_half_precision_rounds_floats_alone(checkpoint, state, tmp_path):
    card = publish(checkpoint, tmp_path / 'model.safetensors', half=True)
    for name, tensor in weights_of(open_checkpoint(tmp_path / 'model.safetensors')).items():
        wanted = state[name].half() if state[name].is_floating_point() else state[name]
        assert tensor.dtype == wanted.dtype and torch.equal(tensor, wanted)
    assert card['precision'] == 'float16'
    state['reid.encoder.backbone.bn1.running_var'][0] = 7e4
    torch.save(dict(state_dict=state), checkpoint)
    with pytest.raises(RuntimeError, match='bn1.running_var of .* beyond those of float16'):
        publish(checkpoint, tmp_path / 'other.safetensors', half=True)
    assert not (tmp_path / 'other.safetensors').exists()


def test_the_card_says_what_the_weights_are(checkpoint, results, tmp_path):
    out = tmp_path / 'model.safetensors'
    config = tmp_path / 'mine.py'
    config.touch()
    card = publish(checkpoint, out, config=str(config), results=results, limits='No real camera saw it.')
    assert card == json.loads((tmp_path / 'model.json').read_text())
    assert card['name'] == 'model' and card['seed'] == 7 and card['epoch'] == 3 and card['trained_identities'] == 2
    assert card['command'] == f'python tools/train.py {config}' and card['data'] == 'data/mine'
    assert card['numbers'] == {'all_single': dict.fromkeys(['R1', 'R5', 'R10', 'R20', 'mAP', 'mINP'], 12.35)}
    assert card['test'] == dict(protocol='SYSUMM01Protocol')
    assert card['licence'] == 'Apache-2.0' and card['limits'] == 'No real camera saw it.'
    assert card['sha256'] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert card['parts'] == ['generators', 'reid']


def test_what_cannot_be_published_is_refused_in_a_sentence(checkpoint, results, tmp_path):
    out = tmp_path / 'model.safetensors'
    with pytest.raises(ValueError, match='ends with .safetensors'):
        publish(checkpoint, tmp_path / 'model.pth')
    with pytest.raises(
        RuntimeError, match='begin with nothing.: there are discriminators., generators., reid., teacher.'
    ):
        publish(checkpoint, out, keep=('reid.', 'nothing.'))
    with pytest.raises(FileNotFoundError, match='no config file at no.py'):
        publish(checkpoint, out, config='no.py')
    results.write_text(results.read_text().replace('epoch_3', 'epoch_2'))
    with pytest.raises(ValueError, match='is about epoch_2.pth, and the weights are those of'):
        publish(checkpoint, out, results=results)
    results.write_text('[1]')
    with pytest.raises(ValueError, match='is no result of tools/test.py'):
        publish(checkpoint, out, results=results)
    assert not out.exists()


def test_a_model_without_generators_has_none_to_keep(tmp_path):
    file = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict={'reid.a': torch.ones(2), 'discriminator.a': torch.ones(2)}), file)
    card = publish(file, tmp_path / 'model.safetensors')
    assert card['parts'] == ['reid'] and card['trained_identities'] is None
