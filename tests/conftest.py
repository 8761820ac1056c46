"""Batches that many tests build on, and what holds for all tests."""

import os

import cv2
import pytest
import torch
from hypothesis import settings
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample
from scripts import load
from small_models import BASELINE, HEIGHT, TSGAN, WIDTH, build

from tsgan.registry import OPTIM_WRAPPER_CONSTRUCTORS

# One thread a process, as `make test` has a process for each core. The variable is for those that tests start.
os.environ['OMP_NUM_THREADS'] = '1'
torch.set_num_threads(1)
cv2.setNumThreads(0)
# What fails once fails again: hypothesis draws the same inputs each time.
settings.register_profile('same', derandomize=True)
settings.load_profile('same')
# Whether there is a GPU is asked without starting CUDA, which a fork (command_lines.py) could not use.
os.environ['PYTORCH_NVML_BASED_CUDA_CHECK'] = '1'


def pytest_addoption(parser):
    parser.addoption('--fail-skipped', action='store_true', help='a skipped test fails, unless it is marked gpu')


def pytest_collection_modifyitems(items):
    """The longest first: processes that share the files should end together."""
    items.sort(key=lambda item: 'test_tools' not in item.path.parts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    # processes of pytest tell each other nothing with file names that are no UTF-8
    report.sections = [(name, text.encode(errors='backslashreplace').decode()) for name, text in report.sections]
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
