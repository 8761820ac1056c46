"""Small models and batches that many tests build on, and what holds for all tests.

No network of a test is narrower than 16 channels: requirements/constraints.txt says why.
"""

import copy
import os

import cv2
import pytest
import torch
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample
from scripts import load

from tsgan.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS

# One thread a process, as `make test` has a process for each core. The variable is for those that tests start.
os.environ['OMP_NUM_THREADS'] = '1'
torch.set_num_threads(1)
cv2.setNumThreads(0)
# Whether there is a GPU is asked without starting CUDA, which a fork (command_lines.py) could not use.
os.environ['PYTORCH_NVML_BASED_CUDA_CHECK'] = '1'

HEIGHT, WIDTH = 64, 32  # the joint discriminator halves five times
NUM_IDS = 6

RESNET = dict(type='mmpretrain.ResNet', depth=18, stem_channels=16, base_channels=16, zero_init_residual=False)
STUDENT = dict(RESNET, strides=(1, 2, 2, 1), out_indices=(2, 3))
TEACHER = dict(RESNET, num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,))

BASELINE = dict(
    type='ReIDBaseline',
    data_preprocessor=dict(type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
    reid=dict(
        type='ReIDNet',
        encoder=dict(type='Encoder', backbone=STUDENT),
        head=dict(type='ReIDHead', num_classes=NUM_IDS, in_channels=128, bn_neck=True),
    ),
    losses=dict(
        loss_id=dict(
            type='OnLogits',
            loss=dict(type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1, mode='original', loss_weight=3.0),
        ),
        loss_tri=dict(type='OnVectors', loss=dict(type='BatchHardTripletLoss')),
    ),
)
TSGAN = dict(
    BASELINE,
    type='TSGAN',
    generators=dict(type='CycleGenerators', generator=dict(type='ResnetGenerator', base_channels=16, num_blocks=1)),
    discriminators=dict(
        type='Discriminators',
        ir=dict(type='JointDiscriminator', map_channels=128, base_channels=16, reduced_channels=16, wide_end=False),
        rgb=dict(type='PatchDiscriminator', base_channels=16, num_downs=2),
    ),
    teacher=dict(
        type='FrozenTeacher',
        encoder=dict(type='Encoder', backbone=TEACHER, checkpoint='none', trained_by='configs/teacher_ir.py'),
    ),
    loss_adv=dict(type='VanillaGANLoss'),
    loss_cyc=dict(type='CycleConsistencyLoss'),
    loss_ts_cd=dict(type='TeacherStudentLoss', loss_weight=0.006),
    loss_ts_real_ir=dict(type='TeacherStudentLoss', loss_weight=0.003),
    loss_ts_fake_ir=dict(type='TeacherStudentLoss', loss_weight=0.003),
)


def pytest_addoption(parser):
    parser.addoption('--fail-skipped', action='store_true', help='a skipped test fails, unless it is marked gpu')


def pytest_collection_modifyitems(items):
    """The longest first: processes that share the files should end together."""
    items.sort(key=lambda item: 'test_tools' not in item.path.parts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if not item.get_closest_marker('gpu'):
        refuse_skip(report, item.config)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    refuse_skip(report, collector.config)
    return report


def refuse_skip(report, config):
    if report.skipped and not hasattr(report, 'wasxfail') and config.getoption('--fail-skipped'):
        report.outcome, report.longrepr = 'failed', f'skipped, with --fail-skipped: {report.longrepr[-1]}'


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('tsgan')
    torch.manual_seed(0)


def build(cfg: dict, **changes):
    return MODELS.build(copy.deepcopy({**cfg, **changes}))


@pytest.fixture(scope='session')
def screenshot():
    """The module that serves the page and starts a browser."""
    return load('demo/screenshot.py')


@pytest.fixture(scope='module')
def chromium(screenshot):
    """A browser."""
    try:
        with screenshot.browser() as chromium:
            yield chromium
    except (FileNotFoundError, ImportError) as error:
        pytest.skip(str(error))


@pytest.fixture
def baseline():
    return build(BASELINE)


@pytest.fixture
def make_tsgan():
    """Builds a small TS-GAN, with changes to its config."""
    return lambda **changes: build(TSGAN, **changes)


@pytest.fixture
def ordinary():
    """Config of an ordinary D_I."""
    return dict(TSGAN['discriminators'], ir=TSGAN['discriminators']['rgb'])


@pytest.fixture
def make_optim_wrapper():
    """Builds one SGD OptimWrapper for each of a model's trained children."""

    def make(model, optimizer=None):
        names = model.PHASES
        cfg = {n: dict(type='OptimWrapper', optimizer=optimizer or dict(type='SGD', lr=0.1)) for n in names}
        constructor = dict(type='PerModuleOptimWrapperConstructor', optim_wrapper_cfg=cfg)
        return OPTIM_WRAPPER_CONSTRUCTORS.build(constructor)(model)

    return make


@pytest.fixture
def make_batch():
    """Builds a batch of K identities x P pairs as the data loader gives it: RGB first, in all views, then IR."""

    def make(num_ids=2, num_pairs=2, seed=0, rgb_views=1, height=HEIGHT):
        generator = torch.Generator().manual_seed(seed)
        size = num_ids * num_pairs
        views = [('rgb', view) for view in range(rgb_views)] + [('ir', 0)]
        shape = (len(views) * size, 3, height, WIDTH)
        inputs = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        samples = []
        for modality, view in views:
            for i in range(size):
                sample = DataSample().set_gt_label(i // num_pairs)
                sample.set_field(modality, 'modality', field_type='metainfo')
                sample.set_field(view, 'view', field_type='metainfo')
                samples.append(sample)
        return dict(inputs=inputs, data_samples=samples)

    return make
