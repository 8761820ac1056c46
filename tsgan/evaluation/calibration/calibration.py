"""Calibration of a model's scores, on people whom it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from tsgan.evaluation.features import FeatureTable, l2_normalize
from tsgan.evaluation.progress import progress
from tsgan.extras import need

from .files import read_calibration, write_calibration
from .group import Group, name_of
from .pairs import Images, Pairs, make_pairs
from .probability import METHODS
from .reliability import Reliability, reliability

MODALITIES = ('rgb', 'ir')
LEAST_IDS = 5
LEVELS = (0.8, 0.9, 0.95, 0.99)  # of candidate sets
FALSE_ALARM_RATES = (0.001, 0.01, 0.05, 0.1)  # of thresholds
CAMERA_IDS = 100  # a pair of cameras has a group of its own from so many on: enough for 99 % sets, and 1 % false alarms


@dataclass(frozen=True, eq=False)
class Calibration:
    """What scores of a model mean, by modality and camera of query and gallery.

    Attributes:
        model (str): The model's name.
        fingerprint (str): What tells its weights and preprocessing from others; '': not known.
        data (str): What it was calibrated on.
        num_ids (int): People of that.
        num_images (int): Pictures of that.
        num_cameras (int): Cameras of that.
        method (str): 'isotonic' or 'platt'.
        seed (int): Of what was drawn.
        groups (list[Group]): Pairs of modalities, each before its pairs of cameras.
    """

    model: str
    fingerprint: str
    data: str
    num_ids: int
    num_images: int
    num_cameras: int
    method: str
    seed: int
    groups: list[Group]

    @classmethod
    def fit(
        cls,
        feats: np.ndarray,
        pids: np.ndarray,
        camids: np.ndarray,
        modalities: np.ndarray,
        *,
        method: str = 'isotonic',
        levels: Sequence[float] = LEVELS,
        false_alarm_rates: Sequence[float] = FALSE_ALARM_RATES,
        gallery_sizes: Sequence[int] | None = None,
        model: str = '',
        fingerprint: str = '',
        data: str = '',
        seed: int = 0,
    ) -> 'Calibration':
        """Calibrate on labelled images of people whom the model was not trained on.

        The score is the cosine. Every image is a query, and one of the gallery; see
        :func:`tsgan.evaluation.calibration.pairs.make_pairs` for the pairs. There is a group for each modality of
        queries and of gallery images, and within it for each two cameras with 100 identities in common.

        Args:
            feats (np.ndarray): (N, D), of any norm.
            pids (np.ndarray): Identities, (N,), int, at least 0.
            camids (np.ndarray): Cameras, (N,), int; -1: not known.
            modalities (np.ndarray): 'rgb' or 'ir', (N,), str.
            method (str): 'isotonic', or 'platt': a logistic curve. Defaults to 'isotonic'.
            levels (Sequence[float]): Of candidate sets. Those for which a group has too few identities are left out.
            false_alarm_rates (Sequence[float]): Of thresholds. Likewise.
            gallery_sizes (Sequence[int], optional): Of thresholds, people. Likewise. Defaults to None: 1, 2, 5, 10, 20,
                50 ... and half of the identities.
            model, fingerprint, data (str): What the features are of, and what the images are.
            seed (int): Of what is drawn: images that stand for a person among others, and of very many people and pairs
                some. Defaults to 0.

        Raises:
            ValueError: When an argument cannot be, when all scores are equal, or too few identities are left.
            ImportError: Without scikit-learn.
        """
        need('sklearn', 'calibration')
        if method not in METHODS:
            raise ValueError(f'method is one of {", ".join(METHODS)}, not {method!r}.')
        for name, shares in (('levels', levels), ('false_alarm_rates', false_alarm_rates)):
            if not len(shares) or not all(0 < share < 1 for share in shares):
                raise ValueError(f'{name} must be probabilities between 0 and 1, one at least, not {list(shares)}.')
        if gallery_sizes is not None and (not len(gallery_sizes) or min(gallery_sizes) < 1):
            raise ValueError(f'gallery_sizes must be numbers of people, at least 1, not {list(gallery_sizes)}.')
        if seed < 0:
            raise ValueError(f'seed is a number, at least 0, not {seed}.')
        levels, rates = ([float(share) for share in shares] for shares in (levels, false_alarm_rates))
        sizes = None if gallery_sizes is None else [int(size) for size in gallery_sizes]
        images, num_ids = checked_images(feats, pids, camids, modalities)
        groups, too_few = [], []
        for kind in progress(kinds_of(images), 'pairs of cameras'):
            pairs = pairs_of(images, kind, seed)
            if pairs.num_ids >= (LEAST_IDS if kind[2] < 0 else CAMERA_IDS):
                groups.append(Group.fit(kind, pairs, method, levels, rates, sizes))
            elif kind[2] < 0:
                too_few.append(f'{name_of(*kind)}: {pairs.num_ids}')
        if not groups:
            raise ValueError(
                f'too few identities have a pair of images that not one camera took in one modality '
                f'({", ".join(too_few)}): expected {LEAST_IDS} at least.'
            )
        cameras = len(np.unique(images.camids[images.camids >= 0]))
        return cls(model, fingerprint, data, num_ids, len(images.feats), cameras, method, int(seed), groups)

    def group(
        self, query_modality: str, gallery_modality: str, query_camera: int = -1, gallery_camera: int = -1
    ) -> Group:
        """The group of two cameras, or else that of two modalities.

        Raises:
            ValueError: When these modalities were not calibrated.
        """
        found = {(g.query_modality, g.gallery_modality, g.query_camera, g.gallery_camera): g for g in self.groups}
        for cameras in ((query_camera, gallery_camera), (-1, -1)):
            if (query_modality, gallery_modality, *cameras) in found:
                return found[(query_modality, gallery_modality, *cameras)]
        there = ', '.join(g.name for g in self.groups if g.query_camera < 0)
        raise ValueError(
            f'{str(query_modality).upper()} queries in a gallery of {str(gallery_modality).upper()} images were not '
            f'calibrated: there is {there}.'
        )

    def check_model(self, fingerprint: str, name: str = '') -> None:
        """Check that features are of the model that was calibrated.

        Raises:
            ValueError: When they are not; names both.
        """
        if fingerprint != self.fingerprint:
            raise ValueError(
                f'the calibration is of {_named(self.model, self.fingerprint)}, not of {_named(name, fingerprint)}: '
                'weights or preprocessing differ, and so do scores.'
            )

    def save(self, path: str | Path) -> None:
        """Write it as JSON."""
        write_calibration(path, self)

    @classmethod
    def load(cls, path: str | Path) -> 'Calibration':
        """Read what :meth:`save` has written.

        Raises:
            OSError: When there is no such file.
            ValueError: When it is another one, or damaged.
        """
        about, groups = read_calibration(path)
        return cls(**about, groups=groups)


def _named(model: str, fingerprint: str) -> str:
    return f'{model or "a model without a name"} ({fingerprint[:12] or "no fingerprint"})'


def checked_images(
    feats: np.ndarray, pids: np.ndarray, camids: np.ndarray, modalities: np.ndarray
) -> tuple[Images, int]:
    """Labelled images, and how many identities they show.

    Raises:
        ValueError: On what :class:`FeatureTable` refuses, features of zeros, images of nobody known, too few people.
    """
    table = FeatureTable(feats, pids, camids, modalities=modalities)
    if (table.pids < 0).any():
        raise ValueError(f'{(table.pids < 0).sum()} of {len(table)} images are of nobody known (pid below 0).')
    feats = l2_normalize(table.feats)
    if not (filled := feats.any(axis=1)).all():
        raise ValueError(f'{(~filled).sum()} of {len(table)} features are zero: they are like no image.')
    people, person = np.unique(table.pids, return_inverse=True)
    if len(people) < LEAST_IDS:
        raise ValueError(f'{len(people)} identities are too few to calibrate on: expected {LEAST_IDS} at least.')
    return Images(feats, person, np.maximum(table.camids, -1), table.modalities), len(people)


def kinds_of(images: Images) -> list[tuple[str, str, int, int]]:
    """Modality and camera of query and gallery: each two modalities that are there, before their cameras."""
    cameras = {
        name: [-1, *np.unique(images.camids[(images.modalities == name) & (images.camids >= 0)]).tolist()]
        for name in MODALITIES
        if (images.modalities == name).any()
    }
    return [
        (query, member, *cams)
        for query, member in product(cameras, repeat=2)
        for cams in product(cameras[query], cameras[member])
        if (cams[0] < 0) == (cams[1] < 0)
        and (cams[0] < 0 or len(cameras[query]) + len(cameras[member]) > 4)  # of one camera each, it is the same group
    ]


def pairs_of(images: Images, kind: tuple[str, str, int, int], seed: int) -> Pairs:
    """Pairs of one kind, drawn by a seed, whatever other kinds there are."""
    is_query, is_gallery = (
        (images.modalities == modality) & ((images.camids == cam) | (cam < 0))
        for modality, cam in ((kind[0], kind[2]), (kind[1], kind[3]))
    )
    draws = np.random.default_rng([seed, *map(MODALITIES.index, kind[:2]), kind[2] + 1, kind[3] + 1])
    return make_pairs(images, is_query, is_gallery, kind[0] == kind[1], draws)


def held_out_reliability(
    feats: np.ndarray,
    pids: np.ndarray,
    camids: np.ndarray,
    modalities: np.ndarray,
    method: str = 'isotonic',
    seed: int = 0,
) -> dict[str, Reliability]:
    """Reliability of a pair's probability, prior 0.5, on people who were not calibrated on, by modalities.

    One half of the identities, drawn by the seed, is calibrated on, and tells of the pairs of the other half.
    Modalities of which a half has too few identities are left out.

    Args:
        feats, pids, camids, modalities, method, seed: As of :meth:`Calibration.fit`.

    Raises:
        ValueError: As :meth:`Calibration.fit`.
    """
    images, num_ids = checked_images(feats, pids, camids, modalities)
    in_first = np.isin(images.people, np.random.default_rng(seed).permutation(num_ids)[: num_ids // 2])
    halves = [Images(*(column[chosen] for column in images)) for chosen in (in_first, ~in_first)]
    found = {}
    for kind in kinds_of(images):
        if kind[2] >= 0:
            continue
        fitted, other = (pairs_of(half, kind, seed) for half in halves)
        if min(fitted.num_ids, other.num_ids) >= LEAST_IDS:
            group = Group.fit(kind, fitted, method, (0.5,), (0.5,), (1,))
            same, different = other.same, other.different[:, ~np.eye(other.different.shape[1], dtype=bool)].ravel()
            predicted = group.probability(np.concatenate([same, different]))
            weights = np.concatenate([other.weights, np.full(len(different), 1 / len(different))])
            found[group.name] = reliability(predicted, np.arange(len(predicted)) < len(same), weights)
    return found
