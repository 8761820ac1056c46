"""A trained model as a file to give away: weights without their training, and a card that says what they are."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from tsgan.checkpoints import config_of, find_checkpoint, meta_of, open_checkpoint, save_weights, weights_of
from tsgan.evaluation import METRIC_NAMES
from tsgan.whole_files import write_whole

KEPT = ('reid.', 'generators.')  # what tests and translations need
LICENCE = 'Apache-2.0'
LIMITS = 'The numbers are those of the test named here; nothing is known of other people, places and cameras.'


def publish(
    checkpoint: str | Path,
    out: str | Path,
    config: str | None = None,
    results: str | Path | None = None,
    keep: Sequence[str] = KEPT,
    classifier: bool = False,
    half: bool = False,
    command: str | None = None,
    data: str | None = None,
    licence: str = LICENCE,
    limits: str = LIMITS,
) -> dict:
    """Write a checkpoint's weights as safetensors, without optimizers, schedulers, logs, teacher and discriminators.

    Beside ``OUT.safetensors`` comes its card, ``OUT.json``. What a later test must know stays with the weights: the
    text of the config, whom the model was trained on, and how images of more than eight bits were scaled.

    Args:
        checkpoint (str | Path): The checkpoint, or the work dir of a training.
        out (str | Path): The file to write.
        config (str, optional): Its config file, for the card. Defaults to None.
        results (str | Path, optional): What ``tools/test.py`` has written of it, for the card. Defaults to None.
        keep (Sequence[str]): What the names of kept tensors begin with. Defaults to the ReID network and generators.
        classifier (bool): Keep the classifier, which has no say in a test, too. Defaults to False.
        half (bool): As float16. Defaults to False.
        command (str, optional): What trains it. Defaults to None: ``tools/train.py`` with the config.
        data (str, optional): What it was trained on, in words. Defaults to None: the folder of the data set.
        licence (str): Of the weights. Defaults to that of this toolbox.
        limits (str): What it is not. Defaults to a sentence that holds for every model.

    Returns:
        dict: The card.

    Raises:
        FileNotFoundError: When there is no such file.
        RuntimeError: When there are no such weights in it, or float16 cannot hold them.
        ValueError: When the results are another checkpoint's, or no results.
    """
    out = Path(out)
    if out.suffix != '.safetensors':
        raise ValueError(f'{out}: expected a name that ends with .safetensors.')
    if config is not None and not Path(config).is_file():
        raise FileNotFoundError(f'no config file at {config}.')
    file = find_checkpoint(checkpoint)
    content = open_checkpoint(file)
    weights = chosen(weights_of(content), keep, classifier, file)
    if half:
        weights = in_half(weights, file)
    numbers = read_numbers(results, file) if results is not None else {}
    meta, trained = meta_of(content), config_of(content)
    kept = {key: meta[key] for key in ('cfg', 'epoch', 'iter', 'seed', 'trained_identities') if key in meta}
    if value_range := (meta.get('dataset_meta') or {}).get('value_range'):
        kept['dataset_meta'] = dict(value_range=value_range)
    save_weights(out, weights, kept)
    card = dict(
        name=out.stem,
        config=config,
        command=command or (config and f'python tools/train.py {config}'),
        data=data or trained.get('data_root'),
        trained_identities=len(kept['trained_identities']) if 'trained_identities' in kept else None,
        seed=kept.get('seed'),
        epoch=kept.get('epoch'),
        parts=sorted({name.split('.')[0] for name in weights}),
        values=sum(tensor.numel() for tensor in weights.values()),
        precision='float16' if half else 'float32',
        **numbers,
        licence=licence,
        limits=limits,
        sha256=hashlib.sha256(out.read_bytes()).hexdigest(),
    )
    write_whole(out.with_suffix('.json'), json.dumps(card, indent=2, ensure_ascii=False) + '\n')
    return card


def chosen(weights: dict[str, Tensor], keep: Sequence[str], classifier: bool, file: str) -> dict[str, Tensor]:
    """The tensors to keep; raises RuntimeError where there are none."""
    wanted = keep[:1] if tuple(keep) == KEPT else keep  # most models have no generators
    for prefix in wanted:
        if not any(name.startswith(prefix) for name in weights):
            there = ', '.join(sorted({f'{name.split(".")[0]}.' for name in weights}))
            raise RuntimeError(f'{file} has no tensors whose names begin with {prefix}: there are {there}.')
    kept = {name: tensor for name, tensor in weights.items() if name.startswith(tuple(keep))}
    return kept if classifier else {name: tensor for name, tensor in kept.items() if '.classifier.' not in name}


def in_half(weights: dict[str, Tensor], file: str) -> dict[str, Tensor]:
    """As float16, whole numbers as they are; raises RuntimeError where a value becomes infinite."""
    halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
    for name, tensor in halves.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise RuntimeError(f'{name} of {file} has values beyond those of float16 (65504): publish it without half.')
    return halves


def read_numbers(results: str | Path, checkpoint: str) -> dict:
    """Of a test's JSON: ``numbers``, by setting, and what ``test`` they are of.

    Raises:
        ValueError: When it is none, or is about another checkpoint.
    """
    try:
        settings = json.loads(Path(results).read_text(encoding='utf-8'))
        about = settings.pop('about')
        numbers = {name: {key: round(row[key], 2) for key in METRIC_NAMES} for name, row in settings.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f'{results} is no result of tools/test.py: expected its JSON.') from error
    tested = Path(about.pop('checkpoint', '')).name
    about.pop('config', None)  # the card's own says it; this one is a path of the machine that tested
    if tested != Path(checkpoint).name:
        raise ValueError(f'{results} is about {tested or "no checkpoint"}, and the weights are those of {checkpoint}.')
    return dict(numbers=numbers, test=about)
