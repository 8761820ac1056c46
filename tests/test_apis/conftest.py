"""Small models of the shipped size's kind, with random weights, and pictures of rendered people."""

from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config
from pictures import picture

from tsgan.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
SMALL = dict(stem_channels=16, base_channels=16)


def small_config(name: str) -> Config:
    """A config of configs/synthetic with narrower networks."""
    cfg = Config.fromfile(CONFIGS / 'synthetic' / f'{name}.py')
    if 'encoder' in cfg.model.reid:
        cfg.model.reid.encoder.backbone.update(SMALL)
        for name in ('head', 'parts'):
            if cfg.model.reid.get(name):
                cfg.model.reid[name].update(in_channels=128, num_classes=6)
    if 'teacher' in cfg.model:
        cfg.model.teacher.encoder.backbone.update(SMALL)
    if 'discriminators' in cfg.model:
        cfg.model.discriminators.ir.update(map_channels=128, base_channels=16)
    if 'generators' in cfg.model:
        cfg.model.generators.generator.update(base_channels=16, num_blocks=1)
    return cfg


def random_state(cfg: Config) -> dict[str, torch.Tensor]:
    """Weights of a network that has been trained, as far as anybody sees: no mean is 0, no variance 1."""
    torch.manual_seed(0)
    state = MODELS.build(cfg.model).state_dict()
    for name, tensor in state.items():
        if tensor.dim() > 1:
            torch.nn.init.kaiming_normal_(tensor)
        elif tensor.is_floating_point():
            tensor.normal_(std=0.1) if name.endswith(('bias', 'mean')) else tensor.uniform_(0.5, 1.5)
    return state


@pytest.fixture(scope='session')
def save_model(tmp_path_factory):
    """Gives a small config and a checkpoint of it: ``save_model('tsgan_jd')``."""
    made = {}

    def save(name: str) -> tuple[Config, Path]:
        if name not in made:
            cfg, file = small_config(name), tmp_path_factory.mktemp('weights') / 'epoch_1.pth'
            torch.save({'state_dict': random_state(cfg), 'meta': {'epoch': 1}}, file)
            made[name] = cfg, file
        return made[name]

    return save


@pytest.fixture(scope='session')
def people(tmp_path_factory) -> Path:
    """``{rgb,ir}/<identity>/<image>``: 3 identities, 2 images each, of different sizes."""
    root = tmp_path_factory.mktemp('people')
    for modality in ('rgb', 'ir'):
        for identity in range(3):
            for number in range(2):
                file = root / modality / f'{identity:04d}' / f'{number}.jpg'
                file.parent.mkdir(parents=True, exist_ok=True)
                size = (96 + 20 * number, 48 - 7 * identity)
                cv2.imwrite(str(file), picture(10 * identity + number, size, modality == 'ir'))
    return root
