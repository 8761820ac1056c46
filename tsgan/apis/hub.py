"""Models by name: those of ``model-index.yml``, with the weights that come with the package or are given.

Imports no torch before it is needed: names alone take none.
"""

import difflib
import fnmatch
import os
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import yaml

from tsgan.places import ROOT

if TYPE_CHECKING:
    import torch
    from mmengine.config import Config
    from mmengine.model import BaseModel


def list_models(pattern: str | None = 'tsgan*') -> list[str]:
    """Names of models, sorted.

    Args:
        pattern (str, optional): A wildcard pattern. Defaults to 'tsgan*', TS-GAN and its own baselines; None lists the
            other systems of the paper's Table I, too.
    """
    return sorted(fnmatch.filter(configs(), pattern or '*'))


@cache
def configs() -> dict[str, Path]:
    """Name -> config file, of all models."""
    files = yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))['Import']
    indices = [yaml.safe_load((ROOT / file).read_text(encoding='utf-8')) for file in files]
    return {model['Name']: ROOT / model['Config'] for index in indices for model in index['Models']}


def find_config(model: 'str | Path | Config') -> 'Config':
    """The config of a model by its name or file, or as it is.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When no model has this name, says which ones are near; when the file is no config of a model.
    """
    from mmengine.config import Config

    from tsgan.config_files import read_config

    if isinstance(model, Config):
        return model
    name = os.fspath(model)
    if Path(name).suffix == '.py':
        return read_config(name)
    if name.lower() not in configs():
        near = difflib.get_close_matches(name.lower().replace('_', '-'), configs(), cutoff=0.5)
        meant = f': there is {", ".join(near)}.' if near else ': list_models(None) has the names.'
        raise ValueError(f'no model is called {name}{meant}')
    return read_config(configs()[name.lower()])


def get_model(
    model: 'str | Path | Config', weights: str | Path | None = None, device: 'str | torch.device | None' = None
) -> 'BaseModel':
    """A model with its weights, in evaluation mode.

    Nothing else is loaded: neither a teacher's checkpoint nor weights that the training began with.

    Args:
        model (str | Path | Config): A name of :func:`list_models`, a config file, or a config.
        weights (str | Path, optional): A checkpoint, its address, or the work dir of a training. Defaults to None: what
            comes with the package under the model's name.
        device (str | torch.device, optional): Defaults to None: a GPU where there is one.

    Returns:
        BaseModel: The model. Its ``complete`` are the child modules of which the weights have all, ``weights_meta`` is
        what the checkpoint says of its training, ``cfg`` the config.

    Raises:
        FileNotFoundError: When there are no such weights.
        RuntimeError: When they lack a part of the network that makes features.
        ValueError: When there is no such model, or no such device.
    """
    from mmengine.registry import DefaultScope
    from mmengine.runner.checkpoint import CheckpointLoader

    from tsgan.checkpoints import find_checkpoint, lacking_to_test, meta_of, shipped, weights_of
    from tsgan.evaluation.rerank import checked_device
    from tsgan.registry import MODELS

    device, cfg = checked_device(device), find_config(model)
    name = (cfg.filename or 'the config') if isinstance(model, type(cfg)) else os.fspath(model)
    file = shipped(name) if weights is None else find_checkpoint(weights)
    with DefaultScope.overwrite_default_scope('tsgan'):
        network = MODELS.build(cfg.model)
    content = {} if file is None else CheckpointLoader.load_checkpoint(str(file), 'cpu', logger='silent')
    found, wanted = weights_of(content), network.state_dict()
    if lacking := lacking_to_test(found, tested_state(network)):
        if file is None:
            known = ', '.join(filter(shipped, list_models(None))) or 'none'
            raise FileNotFoundError(f'{name} comes without weights (with some: {known}): expected weights=FILE.')
        raise RuntimeError(
            f'{file} does not hold the network of {name}: {len(lacking)} of its tensors are not there or have another '
            f'shape, {lacking[0]} first.'
        )
    # shapes without elements: a metric's, which is as large as its training made it
    fit = {n: t for n, t in found.items() if n in wanted and (t.shape == wanted[n].shape or 0 in wanted[n].shape)}
    network.load_state_dict(fit, strict=False)
    network.complete = {name for name, child in network.named_children() if complete(name, child.state_dict(), fit)}
    network.weights_meta, network.cfg = meta_of(content), cfg
    return network.to(device).eval()


def complete(child: str, state: 'dict[str, torch.Tensor]', found: 'dict[str, torch.Tensor]') -> bool:
    """Whether all weights of a child module, one at least, are among those found."""
    return bool(state) and all(f'{child}.{name}' in found for name in state)


def tested_state(network: 'BaseModel') -> 'dict[str, torch.Tensor]':
    """The weights that make features, and the classifier's, which has no say in them."""
    return {f'{c}.{n}': tensor for c in network.TESTED for n, tensor in getattr(network, c).state_dict().items()}


def register(hub: ModuleType) -> None:
    """Put the models into mmpretrain's hub."""
    from tsgan.checkpoints import shipped

    hub.ModelHub.register_model_index(ROOT / 'model-index.yml', config_prefix=ROOT)
    for name in configs():
        entry = hub.ModelHub._models_dict[name]
        entry.weights = str(shipped(name)) if shipped(name) else None
