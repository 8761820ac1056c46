"""A calibration as JSON, to be read by people too."""

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tsgan.whole_files import write_whole

from .drift import DriftReference, polynomials
from .group import Group
from .probability import Isotonic, Platt
from .threshold import Threshold

if TYPE_CHECKING:
    from .calibration import Calibration

FORMAT, VERSION = 'tsgan calibration', 1
ABOUT = {
    'model': str,
    'fingerprint': str,
    'data': str,
    'num_ids': int,
    'num_images': int,
    'num_cameras': int,
    'method': str,
    'seed': int,
}
CURVES = {'isotonic': Isotonic, 'platt': Platt}


def write_calibration(path: str | Path, calibration: 'Calibration') -> None:
    """Write one file; numbers are as exact as they are in memory."""
    content = {
        'format': FORMAT,
        'version': VERSION,
        **{name: getattr(calibration, name) for name in ABOUT},
        'groups': [_group_written(group) for group in calibration.groups],
    }
    write_whole(path, _text(content) + '\n')


def _group_written(group: Group) -> dict:
    written = {field.name: getattr(group, field.name) for field in fields(Group)}
    kind = next(name for name, curve in CURVES.items() if isinstance(group.curve, curve))
    written['curve'] = {'kind': kind, **group.curve._asdict()}
    written['candidate_scores'] = [
        {'level': level, 'score': score} for level, score in sorted(group.candidate_scores.items())
    ]
    written['thresholds'] = [threshold._asdict() for threshold in group.thresholds]
    written['drift'] = group.drift._asdict()
    return written


def _text(value: object, indent: str = '') -> str:
    """JSON with one entry a line, and lists of numbers on one."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    inner = indent + '  '
    if isinstance(value, dict) and indent.count(' ') < 6:
        lines = [f'{inner}{json.dumps(name)}: {_text(each, inner)}' for name, each in value.items()]
        return '{\n' + ',\n'.join(lines) + f'\n{indent}}}'
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        return '[\n' + ',\n'.join(inner + _text(each, inner) for each in value) + f'\n{indent}]'
    return json.dumps(value, allow_nan=False, ensure_ascii=False, default=np.ndarray.tolist)


def read_calibration(path: str | Path) -> tuple[dict, list[Group]]:
    """What is said of a calibration, and its groups.

    Raises:
        OSError: When there is no such file.
        ValueError: When it is another one, or damaged.
    """
    content = Path(path).read_bytes()
    try:
        content = json.loads(content, parse_constant=_refuse)
    except ValueError as error:  # UnicodeDecodeError is one
        raise ValueError(
            f'{path} is no calibration, or a damaged one ({error}): expected JSON, as of `save`.'
        ) from error
    except RecursionError as error:
        raise ValueError(f'{path} is no calibration: expected JSON, as of `save`.') from error
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise ValueError(f'{path} is JSON, but no calibration: expected "format": "{FORMAT}".')
    if content.get('version') != VERSION:
        raise ValueError(f'{path} is of version {content.get("version")!r}: expected {VERSION}; calibrate anew.')
    try:
        about = {name: _checked(content[name], kind) for name, kind in ABOUT.items()}
        groups = [_group_read(group) for group in _checked(content['groups'], list)]
        if not groups:
            raise ValueError('no groups')
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f'{path} is a damaged calibration ({type(error).__name__}: {error}).') from error
    return about, groups


def _group_read(group: dict) -> Group:
    about = {
        name: _checked(group[name], str if name.endswith('modality') else int)
        for name in ('query_modality', 'gallery_modality', 'query_camera', 'gallery_camera')
    }
    if not {about['query_modality'], about['gallery_modality']} <= {'rgb', 'ir'}:
        raise ValueError("modalities other than 'rgb' and 'ir'")
    curve = dict(group['curve'])
    kind = CURVES[curve.pop('kind')]
    if kind is Isotonic:
        curve = Isotonic(_ascending(curve['scores']), _shares(curve['probabilities']))
        _same_length(curve.scores, curve.probabilities)
        if not 0 < curve.probabilities[0] <= curve.probabilities[-1] < 1:
            raise ValueError('probabilities of 0 or 1')
    else:
        curve = Platt(*(_number(curve[name]) for name in Platt._fields))
        if not (curve.slope >= 0 and 0 < curve.least <= 0.5 <= curve.most < 1):
            raise ValueError('a curve that does not rise')
    scores, same, different = (
        _ascending(group['scores']),
        _shares(group['same_below']),
        _shares(group['different_below']),
    )
    _same_length(scores, same, different)
    kinds = {float: _number, int: _count}
    drift = {name: _numbers(group['drift'][name]) for name in DriftReference._fields if name != 'num_ids'}
    k = polynomials(np.zeros(())).size
    for name, array in drift.items():
        if array.shape != ((k, k) if name.endswith('covariance') else (k,)):
            raise ValueError(f'{name} of shape {array.shape}')
        if array.ndim == 2 and np.linalg.eigvalsh(array)[0] < -1e-6 * np.abs(array).max():
            raise ValueError(f'{name} that is none')
    if (num_ids := _count(group['drift']['num_ids'])) <= k:
        raise ValueError(f'{num_ids} identities')
    same_pairs, different_pairs = map(_count, group['num_pairs'])
    return Group(
        **about,
        num_ids=_count(group['num_ids']),
        num_pairs=(same_pairs, different_pairs),
        curve=curve,
        scores=scores,
        same_below=same,
        different_below=different,
        candidate_scores={_number(each['level']): _number(each['score']) for each in group['candidate_scores']},
        thresholds=tuple(
            Threshold(*(kinds[kind](each[name]) for name, kind in Threshold.__annotations__.items()))
            for each in group['thresholds']
        ),
        drift=DriftReference(**drift, num_ids=num_ids),
    )


def _refuse(name: str) -> None:
    raise ValueError(f'{name} is no number')


def _checked(value: object, kind: type) -> object:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f'{value!r} where {kind.__name__} was expected'[:80])
    return value


def _count(value: object) -> int:
    if _checked(value, int) < 1:
        raise ValueError(f'{value} where a number of at least 1 was expected')
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise ValueError(f'{value!r} where a number was expected'[:80])
    return float(value)


def _numbers(values: object) -> np.ndarray:
    array = np.array(values, float)
    if not array.size or not np.isfinite(array).all():
        raise ValueError('numbers that are not there, or not finite')
    return array


def _ascending(values: object) -> np.ndarray:
    array = _numbers(values)
    if array.ndim != 1 or (np.diff(array) < 0).any():
        raise ValueError('scores that do not rise')
    return array


def _shares(values: object) -> np.ndarray:
    array = _ascending(values)
    if array[0] < 0 or array[-1] > 1:
        raise ValueError('shares outside 0 to 1')
    return array


def _same_length(*arrays: np.ndarray) -> None:
    if len({len(array) for array in arrays}) > 1:
        raise ValueError('columns of different lengths')
