"""A toy training that is resumed, in this process."""

import copy
import logging
import math
import os
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner import runner as mmengine_runner

from tsgan.checkpoints import noted_checkpoint
from tsgan.registry import DATASETS, HOOKS, MODELS

LENGTH = 4  # iterations of an epoch
RUNS = count()
WARMUP = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=6)
EPOCH_WARMUP = dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=3)


@DATASETS.register_module(force=True)
class Numbers(torch.utils.data.Dataset):
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, idx):
        return idx


@MODELS.register_module(force=True)
class Toy(BaseModel):
    """Two children with an optimizer each; notes their learning rates in every iteration."""

    def __init__(self, width=1):
        super().__init__()
        self.a, self.b, self.rates = torch.nn.Linear(1, width), torch.nn.Linear(1, width), []

    def train_step(self, data, optim_wrapper):
        self.rates.append([optim_wrapper[name].param_groups[0]['lr'] for name in 'ab'])
        for name in 'ab':
            optim_wrapper[name].update_params(getattr(self, name)(torch.ones(1, 1)).square().sum())
        return {}

    def forward(self):
        raise NotImplementedError


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(mmengine_runner, 'collect_env', dict)


@pytest.fixture
def train(tmp_path):
    """Trains the toy: ``train(max_epochs, param_scheduler, resume=CKPT)`` gives its runner."""

    def start(max_epochs, param_scheduler, resume=None, begin=None, lr=1e-2, length=LENGTH, width=1, keep=-1):
        cfg = dict(
            model=dict(type='Toy', width=width),
            work_dir=str(tmp_path / 'work'),
            experiment_name=f'toy{next(RUNS)}',
            train_dataloader=dict(
                batch_size=1,
                dataset=dict(type='Numbers', length=length),
                sampler=dict(type='DefaultSampler', shuffle=False),
            ),
            train_cfg=dict(type='ResumableTrainLoop', max_epochs=max_epochs),
            optim_wrapper=dict(
                constructor='PerModuleOptimWrapperConstructor',
                a=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=lr)),
                b=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3, momentum=0.9)),
            ),
            param_scheduler=param_scheduler,
            default_hooks=dict(
                checkpoint=dict(type='WholeCheckpointHook', interval=1, max_keep_ckpts=keep),
                resume=dict(type='ResumeHook'),
                logger=None,
            ),
            default_scope='tsgan',
            randomness=dict(seed=0),
            resume=resume is not None,
            load_from=resume or begin,
        )
        runner = Runner.from_cfg(Config(copy.deepcopy(cfg)))
        runner.train()
        return runner

    return start


SCHEDULES = {
    'steps': [EPOCH_WARMUP, dict(type='MultiStepLR', milestones=[2, 4], gamma=0.3, by_epoch=True)],
    'cosine': [dict(type='CosineAnnealingLR', by_epoch=True, T_max=6)],
    'cosine by iteration': [
        WARMUP,
        dict(type='CosineAnnealingLR', by_epoch=True, T_max=6, convert_to_iter_based=True),
    ],
    'one of each': dict(a=[WARMUP], b=[dict(type='ExponentialLR', gamma=0.5, by_epoch=True)]),
    'to the end': [dict(type='PolyLR', power=0.9, by_epoch=True)],
    'none': None,
}


SHORT = [dict(type='StepLR', step_size=1)]


def states(runner):
    return {name: [s.state_dict() for s in schedulers] for name, schedulers in (runner.param_schedulers or {}).items()}


@pytest.mark.parametrize(
    ('trained', 'schedule'), [(SHORT, name) for name in SCHEDULES] + [('same', 'steps'), ('same', 'to the end')]
)
def test_a_training_of_another_length_or_schedule_goes_on_as_its_config_has_it(train, tmp_path, trained, schedule):
    schedule = SCHEDULES[schedule]
    train(3, schedule if trained == 'same' else trained)
    resumed = train(6, schedule, f'{tmp_path}/work/epoch_3.pth')
    whole = train(6, schedule)
    assert resumed.model.rates == whole.model.rates[3 * LENGTH :]  # to the last bit
    assert states(resumed) == states(whole)


def test_a_longer_cosine_is_where_the_formula_has_it(train, tmp_path):
    train(2, [dict(type='CosineAnnealingLR', by_epoch=True, T_max=2)])
    resumed = train(10, [dict(type='CosineAnnealingLR', by_epoch=True, T_max=10)], f'{tmp_path}/work/epoch_2.pth')
    by_hand = [1e-2 * (1 + math.cos(math.pi * epoch / 10)) / 2 for epoch in range(2, 10)]
    assert [rates[0] for rates in resumed.model.rates[::LENGTH]] == pytest.approx(by_hand)


def test_weights_and_momenta_are_the_checkpoints_and_the_rate_is_the_configs(train, tmp_path):
    train(2, None)
    saved = torch.load(tmp_path / 'work/epoch_2.pth', weights_only=False)
    resumed = train(3, None, f'{tmp_path}/work/epoch_2.pth', lr=5e-3)
    assert [rates[0] for rates in resumed.model.rates] == [5e-3] * LENGTH
    now = torch.load(tmp_path / 'work/epoch_3.pth', weights_only=False)
    steps = [state['optimizer']['a']['state'][0]['step'].item() for state in (saved, now)]
    assert steps == [2 * LENGTH, 3 * LENGTH]


def test_the_log_says_what_differs_and_nothing_where_nothing_does(train, tmp_path, caplog):
    def said(*args, **kwargs):
        runner = train(*args, **kwargs)
        (log,) = (tmp_path / 'work').glob(f'{runner.timestamp}/*.log')
        return [line for line in log.read_text().splitlines() if 'goes on' in line]

    train(2, None)
    assert said(2, None, f'{tmp_path}/work/epoch_1.pth') == []
    (line,) = said(3, [dict(type='StepLR', step_size=1)], f'{tmp_path}/work/epoch_1.pth')
    assert 'had another train_cfg and param_scheduler than the config' in line
    assert 'at epoch 1 (learning rate: a 0.01 -> 0.001, b 0.001 -> 0.0001)' in line


def test_where_an_epoch_has_another_length_its_number_says_where_the_training_is(train, tmp_path):
    schedule = SCHEDULES['cosine by iteration'][1:]
    train(3, schedule)
    resumed = train(6, schedule, f'{tmp_path}/work/epoch_3.pth', length=2)
    whole = train(6, schedule, length=2)
    assert resumed.iter == whole.iter == 12
    assert resumed.model.rates == whole.model.rates[6:]


def test_an_epoch_of_another_length_begins_anew(train, tmp_path):
    train(3, None)
    saved = torch.load(tmp_path / 'work/epoch_2.pth', weights_only=False)
    saved['meta'].update(iter=saved['meta']['iter'] + 1, epoch_length=LENGTH)
    torch.save(saved, tmp_path / 'within.pth')
    assert len(train(3, None, f'{tmp_path}/within.pth').model.rates) == LENGTH - 1
    assert len(train(3, None, f'{tmp_path}/within.pth', length=5).model.rates) == 5


def test_a_checkpoint_of_another_model_is_refused(train, tmp_path):
    train(1, None)
    with pytest.raises(
        RuntimeError, match='epoch_1.pth does not hold the model that the config trains: 4 of its 4 .*a.w'
    ):
        train(2, None, f'{tmp_path}/work/epoch_1.pth', width=2)


def test_weights_to_begin_with_must_be_those_of_a_child_at_least(train, tmp_path):
    def begin(**weights):
        torch.save(weights, tmp_path / 'start.pth')
        train(1, None, begin=f'{tmp_path}/start.pth')

    begin(**{'a.weight': torch.zeros(1, 1), 'other': torch.zeros(1)})
    with pytest.raises(
        RuntimeError, match=r'start.pth does not hold .*: 0 of .* 4 tensors.*a.weight, found conv.weight'
    ):
        begin(**{'conv.weight': torch.zeros(1, 1)})


def test_only_what_a_test_uses_is_missed_in_its_checkpoint():
    model = Toy()
    model.TESTED = ('a',)
    own = copy.deepcopy(model.state_dict())
    for lacking in ('a.weight', 'a.bias'):
        weights = {name: tensor + 1 for name, tensor in own.items() if name.startswith('a.') and name != lacking}
        checkpoint = dict(state_dict=dict(weights), meta={})
        HOOKS.get('ResumeHook')().after_load_checkpoint(SimpleNamespace(model=model, _train_loop={}), checkpoint)
        assert model.load_state_dict(checkpoint['state_dict'], strict=False).missing_keys == [lacking]
        assert all(torch.equal(tensor, weights.get(name, tensor)) for name, tensor in model.state_dict().items())
        assert torch.equal(model.b.weight, own['b.weight']) and torch.equal(model.b.bias, own['b.bias'])


@pytest.mark.parametrize('place', ['', 'elsewhere'])
def test_a_resumed_training_removes_nothing_that_is_not_a_best_checkpoint_of_its_own_folder(tmp_path, place):
    work, elsewhere = tmp_path / 'work', tmp_path / 'elsewhere'
    for folder in (work, elsewhere):
        folder.mkdir()
        (folder / 'best_mean_epoch_2.pth').touch()
        (folder / 'notes.txt').touch()

    def best(path):
        hub = MessageHub.get_instance(f'best{next(RUNS)}')
        hub.update_info('best_ckpt', path)
        hub.update_info('keep_ckpt_ids', ['../notes', 1, 2])
        runner = SimpleNamespace(work_dir=str(work), message_hub=hub, logger=logging.getLogger())
        hook = HOOKS.get('WholeCheckpointHook')(interval=1, save_best='mean', rule='greater', max_keep_ckpts=2)
        hook.before_train(runner)
        assert list(hook.keep_ckpt_ids) == [1, 2]
        return hook.best_ckpt_path

    named = elsewhere if place else work
    assert best(f'{named}/best_mean_epoch_2.pth') == f'{work}/best_mean_epoch_2.pth'
    for path in (f'{named}/notes.txt', str(named), f'{named}/best_mean_epoch_9.pth', None, 3):
        assert best(path) is None


def identities_hook(runner, loaded=None):
    """The hook after a checkpoint is loaded and a training begun; what the next checkpoint says."""
    hook = HOOKS.build(dict(type='TrainedIdentitiesHook'))
    if loaded is not None:
        hook.after_load_checkpoint(runner, {'meta': {'trained_identities': loaded}})
    hook.before_train(runner)
    hook.before_save_checkpoint(runner, checkpoint := {'meta': {}})
    return hook, checkpoint['meta']['trained_identities']


@pytest.fixture
def people():
    """A runner with a model and a data set of people: ``people({'a', 'b'})``."""

    def make(names, began=()):
        model = torch.nn.ModuleDict({'encoder': torch.nn.Identity()})
        model['encoder'].trained_identities = list(began)
        loader = SimpleNamespace(dataset=SimpleNamespace(identities=set(names)))
        return SimpleNamespace(model=model, train_dataloader=loader, test_dataloader=loader, _load_from='a.pth')

    return make


def test_a_checkpoint_says_whom_all_its_trainings_were_on(people):
    _, known = identities_hook(people({'d/b', 'd/a'}, began=['e/c', 'd/a']))
    assert known == ['d/a', 'd/b', 'e/c']
    _, known = identities_hook(people({'d/f'}), loaded=known)  # resumed, without what it began with
    assert known == ['d/a', 'd/b', 'd/f', 'e/c']


def test_people_of_the_training_are_not_tested(people):
    _, known = identities_hook(people({f'I/images/{name}' for name in 'abcdefgh'}))
    hook = HOOKS.build(dict(type='TrainedIdentitiesHook'))
    hook.after_load_checkpoint(None, {'meta': {'trained_identities': known}})
    hook.before_test(people({'I/images/x', 'I/others/a', 'J/images/a'}))
    with pytest.raises(RuntimeError, match=r'^a.pth was trained on 1 of the 2 people of this test \(c\), and would'):
        hook.before_test(people({'I/images/x', 'I/images/c'}))
    with pytest.raises(RuntimeError, match=r'8 of the 8 people of this test \(a, b, c, d, e \.\.\.\)'):
        hook.before_test(people(known))


@pytest.mark.parametrize('content', [{}, {'meta': None}, {'meta': {'epoch': 3}}])
def test_a_checkpoint_that_does_not_say_whom_it_knows_is_tested(people, content):
    hook = HOOKS.build(dict(type='TrainedIdentitiesHook'))
    hook.after_load_checkpoint(None, content)
    hook.before_test(people({'a'}))


@pytest.mark.parametrize(('trained', 'tested'), [((7552, 8448), (7000, 9000)), ([7552.0, 8448.0], (7552, 8448))])
def test_images_of_more_than_eight_bits_are_tested_in_the_range_of_the_training(trained, tested):
    hook = HOOKS.build(dict(type='TrainedIdentitiesHook'))
    hook.after_load_checkpoint(None, {'meta': {'dataset_meta': {'value_range': {'ir': trained}}}})
    dataset = SimpleNamespace(metainfo={'value_range': {'ir': tested, 'rgb': (0, 1)}})
    runner = SimpleNamespace(test_dataloader=SimpleNamespace(dataset=dataset), _load_from='a.pth')
    if tuple(trained) == tested:
        hook.before_test(runner)
    else:
        with pytest.raises(
            RuntimeError, match=r'7552 to 8448 became 0 to 255.*7000 to 9000.*value_range.ir=\(7552,8448'
        ):
            hook.before_test(runner)


STAGES = ['half of it', 'before its name', 'before the note', 'before the old one goes']


@pytest.mark.parametrize('stage', STAGES)
def test_wherever_a_writing_is_interrupted_the_note_names_a_whole_checkpoint(stage, train, tmp_path, monkeypatch):
    work = tmp_path / 'work'
    monkeypatch.setattr('tsgan.whole_files.os.replace', replace := Interrupting(os.replace))
    monkeypatch.setattr('pathlib.Path.unlink', unlink := Interrupting(Path.unlink))
    monkeypatch.setattr('pathlib.Path.write_bytes', write := Interrupting(Path.write_bytes))
    if stage == STAGES[0]:
        write.at, write.before = 'epoch_2.pth.unfinished', lambda file, content: file.open('wb').write(content[:99])
    elif stage == STAGES[3]:
        unlink.at = 'epoch_1.pth'
    else:
        replace.at = 'epoch_2.pth.unfinished' if stage == STAGES[1] else 'last_checkpoint.unfinished'
        replace.spared = int(stage == STAGES[2])
    with pytest.raises(KeyboardInterrupt):
        train(3, None, keep=1)
    noted = noted_checkpoint(work)
    assert noted.name == ('epoch_2.pth' if stage == STAGES[3] else 'epoch_1.pth')
    assert f'{torch.load(noted, weights_only=False)["meta"]["epoch"]}' in noted.name
    for function in (replace, unlink, write):
        function.at = None
    runner = train(3, None, str(noted), keep=1)
    assert runner.epoch == 3 and [file.name for file in work.glob('*.pth*')] == ['epoch_3.pth']


class Interrupting:
    """A function of a file that is interrupted at one of a name."""

    def __init__(self, function):
        self.function, self.at, self.spared, self.before = function, None, 0, lambda *_: None

    def __call__(self, file, *args, **kwargs):
        if Path(file).name == self.at:
            self.spared -= 1
            if self.spared < 0:
                self.before(file, *args)
                raise KeyboardInterrupt
        return self.function(file, *args, **kwargs)

    def __get__(self, file, _):
        return lambda *args, **kwargs: self(file, *args, **kwargs)


def test_buffers_of_the_ranks_come_back_to_each(monkeypatch):
    hook, model = HOOKS.build(dict(type='ResumeHook')), torch.nn.BatchNorm1d(2)
    hook.buffers = {'running_mean': torch.tensor([3.0, 4.0])}
    hook.before_train(SimpleNamespace(model=model))
    assert model.running_mean.tolist() == [3.0, 4.0] and model.weight.tolist() == [1.0, 1.0]
