"""A step whose loss or gradient is not finite: its term is named, and it reaches nothing that is kept."""

import copy
import functools
import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import build_optim_wrapper
from small_models import BASELINE, NUM_IDS, TSGAN, build, build_align_gan, build_cmgan

from tsgan.engine import FiniteLossHook

GAN = ['loss_ir_real', 'loss_ir_fake', 'loss_rgb_real', 'loss_rgb_fake']
CYCLE = ['loss_adv_ir', 'loss_adv_rgb', 'loss_cyc_rgb', 'loss_cyc_ir']
TEACHER = ['loss_ts_cd', 'loss_ts_real_ir', 'loss_ts_fake_ir']
TERMS = {  # model -> phase -> all its terms
    'TSGAN': {'generators': CYCLE, 'reid': ['loss_id', 'loss_tri', 'loss_gan', *TEACHER], 'discriminators': GAN},
    'TeacherStudent': {'reid': ['loss_id', 'loss_tri', *TEACHER]},
    'AlignGAN': {
        'reid': ['loss_id_ir', 'loss_tri_ir', 'loss_id_fake_ir', 'loss_tri', 'loss_gan'],
        'generators': [*CYCLE, 'loss_idt_rgb', 'loss_idt_ir', 'loss_tri', 'loss_id'],
        'warmup_discriminators': GAN,
        'discriminators': GAN,
    },
    'CMGAN': {'reid': ['loss_id', 'loss_tri', 'loss_gan'], 'discriminator': ['loss_modality']},
    'vectors': {'reid': [f'loss_{name}' for name in ('id', 'awt', 'caj', 'hct', 'mse', 'dcl', 'ws', 'memory')]},
    'parts': {'reid': ['loss_id', 'loss_tri']},
    'DEEN': {'reid': ['loss_id', 'loss_tri', 'loss_cpm', 'loss_ort']},
    'MPANet': {'reid': ['loss_id', 'loss_centre', 'loss_overlap', 'loss_modality_id', 'loss_agreement']},
}
PHASES = tuple(TERMS['TSGAN'])
CASES = [(model, phase, term) for model, phases in TERMS.items() for phase, terms in phases.items() for term in terms]


def on_vectors(kind, **options):
    return dict(type='OnVectors', loss=dict(type=kind), **options)


def vector_losses():
    """A baseline with the losses that any network can have."""
    model = build(
        BASELINE,
        losses=dict(
            loss_id=BASELINE['losses']['loss_id'],
            loss_awt=on_vectors('WeightedTripletLoss'),
            loss_caj=on_vectors('SquaredWeightedTripletLoss'),
            loss_hct=on_vectors('HeteroCentreTripletLoss'),
            loss_mse=on_vectors('ModalitySharedEnhancementLoss'),
            loss_dcl=on_vectors('DiscriminativeCentreLoss'),
            loss_ws=dict(type='WeakStrongLoss'),
            loss_memory=dict(type='ClusterMemoryLoss'),
        ),
    )
    generator = torch.Generator().manual_seed(1)
    model.losses.loss_memory.fill(*(F.normalize(torch.randn(2, 128, generator=generator)) for _ in range(2)))
    return model


def of_net(losses, backbone, length=128, **net):
    resnet = dict(type=backbone, depth=18, stem_channels=16, base_channels=16, strides=(1, 2, 2, 1), out_indices=(2, 3))
    head = dict(type='ReIDHead', num_classes=NUM_IDS, in_channels=length, bn_neck=True)
    return build(BASELINE, losses=losses, reid=dict(encoder=dict(type='Encoder', backbone=resnet), head=head, **net))


@functools.cache
def built(name):
    """A small model in training mode."""
    losses, teacher_student = BASELINE['losses'], {k: TSGAN[k] for k in [*BASELINE, 'teacher', *TEACHER]}
    entropy = dict(type='OnLogits', loss=dict(type='mmpretrain.CrossEntropyLoss'))
    stripes = dict(type='StripeHeads', num_stripes=2, in_channels=128, num_classes=NUM_IDS, bn_neck=True)
    makers = {
        'TSGAN': lambda: build(TSGAN),
        'TeacherStudent': lambda: build(teacher_student, type='TeacherStudent'),
        'AlignGAN': build_align_gan,
        'CMGAN': build_cmgan,
        'vectors': vector_losses,
        'parts': lambda: build(
            BASELINE,
            reid=dict(BASELINE['reid'], parts=stripes),
            losses=dict(loss_id=dict(entropy, of='both'), loss_tri=on_vectors('HeteroCentreTripletLoss', of='parts')),
        ),
        'DEEN': lambda: of_net(
            losses | dict(loss_cpm=on_vectors('CentreGuidedPairMiningLoss'), loss_ort=on_vectors('OrthogonalityLoss')),
            'DEENResNet',
            type='DEENNet',
        ),
        'MPANet': lambda: of_net(
            dict(
                loss_id=entropy,
                loss_centre=on_vectors('CentreClusterLoss'),
                loss_overlap=dict(type='MaskOverlapLoss'),
                loss_modality_id=dict(type='ModalityIdentityLoss'),
                loss_agreement=dict(type='ModalityAgreementLoss'),
            ),
            'MAMResNet',
            length=7 * 128,
            type='MPANet',
        ),
    }
    return makers[name]().train()


@pytest.fixture(scope='module')
def wrappers():
    """The models' optimizers, by name."""
    return {}


@pytest.fixture
def trained(wrappers, make_optim_wrapper, make_batch):
    """A small model by its name, its optimizers, and a batch; a phase is to be left out where it is not finite."""

    def get(name, phase):
        model = built(name)
        if name not in wrappers:
            wrappers[name] = make_optim_wrapper(model, dict(type='Adam', lr=1e-3))
        model.phases, model.skip_not_finite = (phase,), True
        return model, wrappers[name], make_batch(rgb_views=2 if name in ('TeacherStudent', 'vectors') else 1)

    return get


def kept(model, wrapper):
    """Weights, buffers and what the optimizers have gathered."""
    return copy.deepcopy((dict(model.state_dict()), wrapper.state_dict()))


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize(('name', 'phase', 'term'), CASES)
def test_nan_in_a_term_is_named_with_its_phase_and_reaches_nothing(name, phase, term, trained, monkeypatch):
    model, wrapper, batch = trained(name, phase)
    if term == TERMS[name][phase][0]:  # the first one has momenta made, and says which terms there are
        log = model.train_step(batch, wrapper)
        terms = [key.partition('/')[2] for key in log if 'loss_' in key]
        assert sorted(terms) == sorted(TERMS[name][phase])
        assert not model.not_finite[phase]
    before = kept(model, wrapper)
    losses = getattr(model, f'{phase}_loss')

    def planted(step):
        terms = losses(step)
        return terms | {term: terms[term] * math.nan}

    monkeypatch.setattr(model, f'{phase}_loss', planted)
    outputs = model.train_step(batch, wrapper)
    assert same(kept(model, wrapper), before)
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(FloatingPointError, match=f'^{phase}/loss is nan, {phase}/{term} is nan in epoch 4, iter'):
        FiniteLossHook().after_train_iter(SimpleNamespace(model=model, epoch=3), 7, outputs=outputs)


@pytest.mark.parametrize('skip', [False, True])
def test_steps_without_any_are_those_of_mmengines_wrapper_bit_by_bit(skip, make_batch):
    cfg = dict(optimizer=dict(type='Adam', lr=1e-3), clip_grad=dict(max_norm=1.0), accumulative_counts=2)
    states = []
    for by_hand in (False, True):
        torch.manual_seed(0)
        model = build(TSGAN).train()
        model.skip_not_finite = skip
        wrapper = build_optim_wrapper(
            model,
            dict(constructor='PerModuleOptimWrapperConstructor', **{phase: copy.deepcopy(cfg) for phase in PHASES}),
        )
        for seed in range(3):
            batch = make_batch(seed=seed)
            if not by_hand:
                model.train_step(batch, wrapper)
                continue
            step = model.make_step(**model.data_preprocessor(batch, True))
            for phase in PHASES:
                with model.only(phase), wrapper[phase].optim_context(getattr(model, phase)):
                    loss, _ = model.parse_losses(getattr(model, f'{phase}_loss')(step))
                    wrapper[phase].update_params(loss)
        states.append(kept(model, wrapper))
    assert same(*states)
