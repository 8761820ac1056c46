"""Models by name: those of ``model-index.yml``, and the weights that come with the package."""

import difflib
import fnmatch
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from tsgan.checkpoints import find_checkpoint, meta_of, shipped, weights_of
from tsgan.places import ROOT
from tsgan.registry import MODELS


def list_models(pattern: str | None = 'tsgan*') -> list[str]:
    """Names of models, sorted.

    Args:
        pattern (str, optional): A wildcard pattern. Defaults to 'tsgan*'; None lists the rivals of TS-GAN, too.
    """
    return sorted(fnmatch.filter(entries(), pattern or '*'))


@cache
def entries() -> dict[str, Path]:
    """Name -> config."""
    import yaml

    found = {}
    for file in yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))['Import']:
        for model in yaml.safe_load((ROOT / file).read_text(encoding='utf-8'))['Models']:
            found[model['Name'].lower()] = ROOT / model['Config']
    return found


def find_config(model: str | Path | Config) -> Config:
    """The config of a model by name, by its file, or as it is.

    Raises:
        ValueError: When there is no such model; names the nearest.
        FileNotFoundError: When there is no such file.
    """
    if isinstance(model, Config):
        return model
    name = os.fspath(model)
    if Path(name).suffix == '.py':
        if not Path(name).is_file():
            raise FileNotFoundError(f'no config file at {name}.')
        return Config.fromfile(name)
    if name.lower() not in entries():
        near = difflib.get_close_matches(name.lower(), entries(), n=3, cutoff=0.5)
        meant = f'; did you mean {", ".join(near)}?' if near else '.'
        raise ValueError(f'no model is called {name}: expected a name of list_models(None) or a config file{meant}')
    return Config.fromfile(entries()[name.lower()])


def get_model(
    model: str | Path | Config, weights: str | Path | None = None, device: str | torch.device | None = None
) -> BaseModel:
    """A model with its weights, in evaluation mode.

    Args:
        model (str | Path | Config): A name of :func:`list_models`, a config file, or a config.
        weights (str | Path, optional): A checkpoint, its address, or the work dir of a training. Defaults to None: those
            that come with the package under the model's name.
        device (str | torch.device, optional): Defaults to None: a GPU where there is one.

    Raises:
        FileNotFoundError: When there are no such weights.
        RuntimeError: When the file does not hold the network that makes features.
        ValueError: When there is no such model.
    """
    cfg = find_config(model)
    if weights is None:
        weights = shipped(str(model)) if not isinstance(model, Config) else None
        if weights is None:
            have = ', '.join(name for name in list_models(None) if shipped(name))
            what = cfg.filename if isinstance(model, Config) else model
            raise FileNotFoundError(
                f'{what} comes without weights: give weights=FILE, or take one that has some ({have})'
            )
    file = find_checkpoint(weights)
    content = CheckpointLoader.load_checkpoint(file, map_location='cpu')
    state = weights_of(content)
    with DefaultScope.overwrite_default_scope('tsgan'):
        network = MODELS.build(cfg.model)
    load_tested(network, state, file, cfg.filename)
    network.weights_meta = meta_of(content)
    network.config = cfg
    return network.to(device or ('cuda' if torch.cuda.is_available() else 'cpu')).eval()


def load_tested(network: BaseModel, state: dict[str, Tensor], file: str, config: str) -> None:
    """Load what a file has of a network; all that makes features must be in it."""
    wanted = network.state_dict()
    fits = {name: tensor for name, tensor in state.items() if name in wanted and _fits(tensor, wanted[name])}
    wrong = [name for name in tested(network) if name not in fits and 'classifier' not in name]
    if wrong:
        raise RuntimeError(
            f'{file} does not hold the network of {config}: {len(wrong)} of its tensors are not there or have another '
            f'shape, {wrong[0]} first.'
        )
    network.load_state_dict(fits, strict=False)
    network.complete = {
        name for name, child in network.named_children() if all(f'{name}.{key}' in fits for key in child.state_dict())
    }


def tested(network: BaseModel) -> Iterator[str]:
    """Names of the tensors that make features."""
    for child in getattr(network, 'TESTED', ('reid',)):
        yield from (f'{child}.{name}' for name in getattr(network, child).state_dict())


def _fits(found: Tensor, wanted: Tensor) -> bool:
    return found.shape == wanted.shape or 0 in wanted.shape
