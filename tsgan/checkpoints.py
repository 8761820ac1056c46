"""The one place where a weights file is found, opened and described. Opening one never runs what is in it.

MMEngine opens its files here too: :func:`open_checkpoint` is registered with its ``CheckpointLoader`` below. What it
writes, checkpoints among them, it writes by :class:`WholeFilesBackend`.
"""

import ast
import hashlib
import json
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.dist import barrier, get_rank
from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader, get_torchvision_models
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from tsgan.file_kinds import kind_by_beginning
from tsgan.places import PACKAGE
from tsgan.unpacking import DAMAGED, check_unpacked, most, too_large
from tsgan.whole_files import write_whole

EXPECTED = 'expected safetensors, or what torch.save writes of tensors by name, bare or in a `state_dict`'
WEIGHTS = PACKAGE / 'weights'  # that come with the package
TRUSTED = {'all': False}  # whether files may run code: their reader says so


def find_checkpoint(place: str | Path) -> str:
    """A checkpoint by its file, its address, its name, or the work dir of a training, whose last one is then meant.

    Raises:
        FileNotFoundError: When there is none.
    """
    path = Path(place)
    if '://' in str(place):
        return str(place)
    if path.is_dir():
        found = noted_checkpoint(path)
        if found is None:
            raise FileNotFoundError(f'no checkpoint in {place}: expected the work dir of a training.')
        if not found.is_file():
            raise FileNotFoundError(
                f'{path / "last_checkpoint"} names {found}, and neither that nor {path / found.name} is there: name '
                'the checkpoint itself.'
            )
        return str(found)
    if not path.is_file():
        if found := shipped(str(place)):
            return str(found)
        raise FileNotFoundError(f'no checkpoint at {place}: give one, as a training writes in its work dir.')
    return str(path)


def shipped(name: str) -> Path | None:
    """The weights of this name that come with the package, if there are such."""
    return next((file for file in WEIGHTS.glob('*.safetensors') if file.stem == name.lower()), None)


def trust_files() -> None:
    """From now on, files that need code of their writer to be read are read, and run it: a person's own old ones."""
    TRUSTED['all'] = True


def noted_checkpoint(work_dir: Path) -> Path | None:
    """What MMEngine has noted as the last complete checkpoint of a training; None before the first.

    The note holds the path that the file once had: where work dirs have moved, it lies beside the note.
    """
    note = work_dir / 'last_checkpoint'
    if not note.is_file():
        return None
    text = note.read_text(encoding='utf-8', errors='surrogateescape').strip()
    noted = Path(text or '(nothing)')  # an empty note: the disk was full
    beside = work_dir / noted.name
    return beside if beside.is_file() else noted


def checkpoints_of(work_dir: Path) -> list[Path]:
    """The files of a training's checkpoints, ``epoch_<N>.pth`` and ``epoch_<N>_iter_<K>.pth``, in the order of both."""
    places = {file: place_of(file) for file in work_dir.glob('epoch_*.pth')}
    return sorted((file for file, place in places.items() if place and file.is_file()), key=places.get)


def place_of(checkpoint: Path) -> tuple[int, int] | None:
    """Whole epochs that a training had behind it, and iterations of the next one, by the name of its checkpoint."""
    name = re.fullmatch(r'epoch_(\d+)(?:_iter_(\d+))?', checkpoint.stem)
    return (int(name[1]), int(name[2] or 0)) if name else None


def open_checkpoint(file: str | Path, map_location: str | Callable | None = 'cpu') -> dict:
    """Read a file of weights: tensors, numbers and text, and no code.

    Args:
        file (str | Path): The file.
        map_location (str | Callable, optional): As of :func:`torch.load`; 'meta' reads names and shapes alone. Defaults
            to 'cpu'.

    Returns:
        dict: A checkpoint, with its weights in ``state_dict``, or the weights themselves. The ``module.`` that a
        parallel wrapper has put before all names is left out.

    Raises:
        FileNotFoundError: When there is no such file.
        RuntimeError: When the file is damaged, even in one bit, is no file of weights, or would run code to be read.
        ValueError: When it would become many times as large in memory, see :mod:`tsgan.unpacking`.
    """
    path = Path(file).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f'{file} is a folder: expected a file of weights.')
    if not path.is_file():
        raise FileNotFoundError(f'no file of weights at {file}.')
    if is_zip(path):
        with suppress(zipfile.BadZipFile):  # which is said below
            check_unpacked(path)
    try:
        content = read_safetensors(path, map_location) if is_safetensors(path) else load(path, map_location)
    except (OSError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # of any kind, as deep inside as the parser has come
        raise RuntimeError(f'{file} cannot be read as weights: it seems to be {seems(path, error)}; {EXPECTED}.') from (
            error
        )
    if not isinstance(content, dict):
        raise RuntimeError(f'{file} holds no weights by name, but a {type(content).__name__}: {EXPECTED}.')
    if isinstance(content.get('state_dict'), dict):
        content['state_dict'] = without_wrapper(content['state_dict'])
    elif holds_weights(content):
        content = without_wrapper(content)
    else:
        inside = [key for key, value in content.items() if isinstance(value, dict) and holds_weights(value)]
        entries = ', '.join(map(str, list(content)[:5])) or 'none'
        where = f'its weights are in {" and in ".join(map(repr, inside))}' if inside else 'there are no weights in it'
        raise RuntimeError(f'{file} is a file of another program: {where} (its entries: {entries}); {EXPECTED}.')
    # A tensor may repeat one number without end, and is made of them where it is moved
    if (size := sum(tensor.numel() * tensor.element_size() for tensor in weights_of(content).values())) > most(path):
        raise ValueError(too_large(file, size))
    meta_of(content).pop('config', None)  # of before MMEngine, which runs it as Python on resuming
    return content


def load(path: Path, map_location: str | Callable | None) -> object:
    check_sums(path)
    with safe_globals(SAFE), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of what then is an error
        try:
            return torch.load(path, map_location=map_location, weights_only=True)
        except UnpicklingError:
            if not TRUSTED['all']:
                raise
        return torch.load(path, map_location=map_location, weights_only=False)


def is_zip(path: Path) -> bool:
    """As :func:`torch.load` tells it."""
    with path.open('rb') as file:
        return file.read(4) == b'PK\x03\x04'


def is_safetensors(path: Path) -> bool:
    with path.open('rb') as file:
        head = file.read(9)
    return head[8:] == b'{' and int.from_bytes(head[:8], 'little') < path.stat().st_size


def read_safetensors(path: Path, map_location: str | Callable | None = 'cpu') -> dict:
    """Weights as :func:`save_weights`, or anybody else, has written them."""
    with safe_open(path, framework='pt') as file:
        meta = json.loads((file.metadata() or {}).get('meta', '{}'))
        if map_location == 'meta':
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
            return {'state_dict': {n: torch.empty(shape, device='meta') for n, shape in shapes.items()}, 'meta': meta}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if meta.get('sha256', '') not in ('', fingerprint(tensors)):
        raise SafetensorError('its tensors are not those that were written')
    if isinstance(map_location, (str, torch.device)):
        tensors = {name: tensor.to(map_location) for name, tensor in tensors.items()}
    return {'state_dict': tensors, 'meta': meta}


def save_weights(file: str | Path, weights: Mapping[str, Tensor], meta: dict) -> None:
    """Write tensors as safetensors: a temporary file first, so that a file of this name is a whole one.

    Args:
        file (str | Path): Where to.
        weights (Mapping[str, Tensor]): The tensors by name.
        meta (dict): What :func:`meta_of` is to give back, JSON; ``sha256`` of the tensors comes to it.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    text = json.dumps({**meta, 'sha256': fingerprint(tensors)}, ensure_ascii=False)
    # safetensors' own writer would leave it to its owner alone
    write_whole(file, save(tensors, metadata={'format': 'pt', 'meta': text}))


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors: names in sorted order, types, shapes, bytes."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def check_sums(path: Path) -> None:
    """Raises BadZipFile where a part of a file is not as it was written: :func:`torch.load` does not look."""
    if is_zip(path):
        with zipfile.ZipFile(path) as archive:
            try:
                damaged = archive.testzip()
            except OSError as error:
                if error.errno is None:  # not of the disk: bz2 says so of what it cannot unpack
                    raise zipfile.BadZipFile(str(error)) from error
                raise
            if damaged:
                raise zipfile.BadZipFile(f'{damaged} has another check sum')


def weights_of(content: dict) -> dict[str, Tensor]:
    """The tensors of an opened file, by name."""
    weights = content.get('state_dict', content)
    return {name: value for name, value in weights.items() if isinstance(value, Tensor)}


def meta_of(content: dict) -> dict:
    """What a checkpoint says about its training; nothing, where a file holds weights alone."""
    meta = content.get('meta')
    return meta if isinstance(meta, dict) else {}


def config_of(content: dict) -> dict:
    """The entries of the config that a checkpoint was trained with, read without running them."""
    return config_entries(meta_of(content).get('cfg', ''))


def config_entries(text: str) -> dict:
    """The entries of a config's text that are plain data, as MMEngine writes them."""
    entries = {}
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, TypeError, RecursionError):
        return entries
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                entries[statement.targets[0].id] = plain(statement.value)
            except (ValueError, TypeError):  # an object that some config has made
                continue
    return entries


def plain(node: ast.expr) -> object:
    """The value of an expression of literals, lists, and ``dict(...)``. Raises ValueError on any other."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        return dict(*map(plain, node.args), **{keyword.arg: plain(keyword.value) for keyword in node.keywords})
    if isinstance(node, ast.Dict):
        return {plain(key): plain(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [plain(item) for item in node.elts]
    return ast.literal_eval(node)


def fitting(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """The names of ``wanted`` that ``found`` has with the same shape."""
    return [name for name, tensor in wanted.items() if name in found and found[name].shape == tensor.shape]


def lacking_to_test(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """The names of ``wanted``, of a network that is to be tested, that ``found`` lacks, or has with another shape.

    A classifier has no say in a test. A tensor without elements takes any shape.
    """

    def fits(name: str, shape: torch.Size) -> bool:
        return 'classifier' in name or (name in found and (found[name].shape == shape or 0 in shape))

    return [name for name, tensor in wanted.items() if not fits(name, tensor.shape)]


def prefix_that_fits(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> tuple[str, int]:
    """What stands before the names of ``found`` where most of ``wanted`` lie below it, and how many fit there."""
    fit = {'': 0}
    for name, tensor in found.items():
        for dot in [-1, *(match.start() for match in re.finditer(r'\.', name))]:
            inside = wanted.get(name[dot + 1 :])
            if inside is not None and inside.shape == tensor.shape:
                prefix = name[: max(dot, 0)]
                fit[prefix] = fit.get(prefix, 0) + 1
    best = max(fit, key=fit.get)
    return best, fit[best]


def holds_weights(content: dict) -> bool:
    return any(isinstance(value, Tensor) for value in content.values()) and all(isinstance(key, str) for key in content)


def without_wrapper(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    if not weights or not all(str(name).startswith('module.') for name in weights):
        return weights
    return {name.removeprefix('module.'): tensor for name, tensor in weights.items()}


TORCH_BEFORE_ZIP = b'\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'  # the number with which torch.save began until 1.6


def seems(path: Path, error: Exception) -> str:
    """What a file that :func:`torch.load` has refused with ``error`` is, in a few words."""
    with path.open('rb') as file:
        head = file.read(512)
    if is_zip(path):
        return seems_zip(path, error)
    if known := kind_by_beginning(head):
        return known
    if re.match(rb'\s*<(!doctype|html|head|\?xml)', head, re.IGNORECASE):
        return 'a web page, which a download has given in place of the file'
    if head[257:262] == b'ustar':
        return 'a tar archive'
    if isinstance(error, SafetensorError):
        return f'safetensors that are damaged ({error})'
    if TORCH_BEFORE_ZIP in head[:32]:
        return needs_code(path, error) or 'half a file, or damaged'
    if head.startswith(b'\x80'):
        return 'a pickle of another program, as detectron2 and fast-reid keep weights of others, or damaged'
    if path.suffix == '.onnx':
        return 'an ONNX model'
    try:
        text = head.decode().isprintable() or b'\0' not in head
    except UnicodeDecodeError as broken:  # of a letter that was cut in two
        text = broken.start > len(head) - 4 and b'\0' not in head
    return 'text' if text else 'damaged, or no file of weights at all'


def seems_zip(path: Path, error: Exception) -> str:
    if not zipfile.is_zipfile(path):
        return 'half a file, whose end is missing'
    try:
        with zipfile.ZipFile(path) as archive:
            names, sound = archive.namelist(), archive.testzip() is None
    except DAMAGED:
        return 'damaged'
    if any('/code/' in name for name in names):
        return 'a TorchScript program, whose weights are `torch.jit.load(FILE).state_dict()`'
    if any(name.endswith('data.pkl') for name in names):
        return (needs_code(path, error) if sound else None) or 'damaged'
    if names and all(name.endswith('.npy') for name in names):
        return 'a NumPy archive (.npz)'
    return f'a zip archive of {", ".join(names[:3])} ...' if names else 'a zip archive of nothing'


def needs_code(path: Path, error: Exception) -> str | None:
    """In words, where :func:`torch.load` has met what is neither a tensor nor plain data; else None."""
    asked = re.search(r'(?:GLOBAL|Unsupported class) ([A-Za-z_][\w.]+)', str(error))
    if not asked:
        return None
    try:
        with safe_globals(SAFE):
            names = get_unsafe_globals_in_checkpoint(path)
    except Exception:  # of before the zip format
        names = []
    return (
        'one that holds more than weights, and would run code of its writer to be read '
        f'({", ".join(names[:3] or [asked[1]])}): if you trust that, --trust-checkpoint lets it; or keep the tensors '
        'alone, '
        "`torch.save(torch.load(FILE, weights_only=False)['state_dict'], OUT)`, or of a whole network "
        '`torch.save(torch.load(FILE, weights_only=False).state_dict(), OUT)`'
    )


def history_statistics(owner: type, name: str) -> Callable:
    """Stands for ``getattr`` in a checkpoint's log, which holds HistoryBuffers, and those their class's statistics."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise ValueError(f'GLOBAL builtins.getattr of {owner}')
    return getattr(owner, name)


def empty_array(kind: type, shape: tuple, code: bytes) -> np.ndarray:
    """Stands for NumPy's ``_reconstruct``, which a file could have make an array of any size, or of another class."""
    if kind is not np.ndarray or shape != (0,):
        raise ValueError(f'GLOBAL numpy.ndarray of {shape}')
    return MULTIARRAY._reconstruct(kind, shape, code)


def number(kind: np.dtype, content: bytes) -> np.generic:
    """Stands for NumPy's ``scalar``, which trusts that as many bytes are there as a structured type has."""
    if kind.kind not in 'biuf':
        raise ValueError(f'GLOBAL numpy.dtype of {kind}')
    return MULTIARRAY.scalar(kind, content)


# What MMEngine puts into a checkpoint beside tensors and plain data: the log's buffers, which are NumPy arrays
MULTIARRAY = (np._core if hasattr(np, '_core') else np.core).multiarray
SAFE = [
    HistoryBuffer,
    (history_statistics, 'builtins.getattr'),
    np.ndarray,
    np.dtype,
    *{type(np.dtype(name)) for name in ('bool', 'uint8', 'int32', 'int64', 'float16', 'float32', 'float64')},
    *[
        (stand_in, f'numpy.{core}.multiarray.{name}')  # as NumPy 1 and 2 call it
        for name, stand_in in (('_reconstruct', empty_array), ('scalar', number))
        for core in ('core', '_core')
    ],
]


@CheckpointLoader.register_scheme('', force=True)
def load_from_local(filename: str, map_location: str | Callable | None = None) -> dict:
    return open_checkpoint(find_checkpoint(filename), map_location)


@CheckpointLoader.register_scheme(('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: str | Callable | None = None) -> dict:
    """The file at an address, from where torch keeps what it downloads. Raises ConnectionError if it is not to be had.

    In a distributed job the first process downloads.
    """
    file = Path(torch.hub.get_dir(), 'checkpoints', Path(urlparse(filename).path).name)
    if get_rank() == 0:
        download(filename, file)
    barrier()
    download(filename, file)  # in another machine
    return open_checkpoint(file, map_location)


def download(address: str, file: Path) -> None:
    if file.is_file():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(address, str(file))
    except OSError as error:
        raise ConnectionError(f'{address} cannot be downloaded: {error}') from error


@CheckpointLoader.register_scheme('torchvision://', force=True)
def load_from_torchvision(filename: str, map_location: str | Callable | None = None) -> dict:
    addresses, name = get_torchvision_models(), filename.removeprefix('torchvision://')
    if name not in addresses:
        raise FileNotFoundError(f'torchvision has no weights {name}: expected a name such as resnet50.')
    return load_from_http(addresses[name], map_location)


OTHERS = ['modelzoo://', 'open-mmlab://', 'openmmlab://', 'mmcls://', 'pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://']


@CheckpointLoader.register_scheme(OTHERS, force=True)
def load_from_elsewhere(filename: str, map_location: str | Callable | None = None) -> dict:
    raise FileNotFoundError(
        f'{filename} cannot be opened: expected a file, http://..., https://... or torchvision://...'
    )


@register_backend('local', force=True, prefixes='')
class WholeFilesBackend(LocalBackend):
    """MMEngine's backend for files of this machine, which writes them at one stroke."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        write_whole(filepath, obj)
