"""Images -> features, by a trained model: decoded in threads, so that the network is what one waits for."""

import hashlib
import json
import logging
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from PIL import Image

from tsgan.apis.calibrated import percent, ready, without_nobody
from tsgan.apis.hub import get_model, list_models, tested_state
from tsgan.datasets.loose_images import ImageRow, LooseImage, find_images
from tsgan.evaluation.features import l2_normalize
from tsgan.evaluation.progress import progress
from tsgan.images import decode, decode_pillow, in_words, is_deep, to_uint8
from tsgan.machine import num_cores

try:
    from mmpretrain.apis.base import BaseInferencer
except ImportError:  # an ONNX file runs without MMPretrain, and without torch
    BaseInferencer = object

if TYPE_CHECKING:
    import torch
    from mmengine.config import Config

    from tsgan.evaluation.calibration import Calibration


LOG = logging.getLogger('tsgan')  # what nobody has set up writes to stderr
MAX_DECODERS = 16  # threads beyond that wait for Python
NAMED = 10  # of the images that could not be read
UNTOLD = ('init_cfg', 'checkpoint', 'trained_by', 'num_classes')  # of a network's config: no say in its features


class TorchNetwork:
    """A model's network, as an inferencer calls it: images of its size in, features out.

    Args:
        model (str | Path | Config): As of :func:`tsgan.apis.get_model`.
        weights (str | Path, optional): As there. Defaults to None.
        device (str | torch.device, optional): As there. Defaults to None.

    Attributes:
        name (str): What the model was called by, of a config its file.
        fingerprint (str): Of the weights that make features, with all else that does: SHA-256.
        size (tuple[int, int]): Height and width of the images that it sees.
        dim (int): D, the length of a feature.
        needs_modality (bool): Whether it treats RGB and IR images in two ways.
        value_range (dict[str, tuple[float, float]]): Modality -> (low, high), which became 0 and 255 in images of more
            than eight bits when it was trained; without those that its training had not.
    """

    def __init__(
        self,
        model: 'str | Path | Config',
        weights: str | Path | None = None,
        device: 'str | torch.device | None' = None,
    ) -> None:
        self.model = get_model(model, weights, device)
        self.cfg = self.model.cfg
        self.name = os.fspath(model) if isinstance(model, (str, os.PathLike)) else model.filename or 'a config'
        self.size = input_size(self.cfg)
        encoder = getattr(self.model.reid, 'encoder', None)
        self.needs_modality = getattr(encoder, 'needs_modality', False) or 'generators' in self.model.TESTED
        self.value_range = (self.model.weights_meta.get('dataset_meta') or {}).get('value_range', {})
        self.fingerprint = self._fingerprint()
        self.dim = self(np.zeros((1, *self.size, 3), np.uint8), np.array([True])).shape[1]

    def __call__(self, images: np.ndarray, is_rgb: np.ndarray) -> np.ndarray:
        """Features, (N, D) float32, of any length.

        Args:
            images (np.ndarray): RGB, (N, H, W, 3) uint8, of :attr:`size`.
            is_rgb (np.ndarray): Which of them are RGB images rather than IR images, (N,) bool.
        """
        import torch

        with torch.no_grad():
            inputs = self.normalized(images)
            feats = self.model.features(inputs, torch.from_numpy(is_rgb).to(inputs.device))
        return feats.float().cpu().numpy()

    def translate(self, image: np.ndarray, is_rgb: bool) -> np.ndarray | None:
        """An image of the other modality, RGB, (H, W, 3) uint8; None of a model without generators."""
        import torch

        if 'generators' not in self.model.complete:
            return None
        generators = self.model.generators
        with torch.no_grad():
            fake = (generators.to_ir if is_rgb else generators.ir_to_rgb)(self.normalized(image[None]))
        return ((fake[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()

    def normalized(self, images: np.ndarray) -> 'torch.Tensor':
        """What the data preprocessor of training and test makes of images, (N, H, W, 3) -> (N, 3, H, W) in [-1, 1]."""
        import torch

        bgr = torch.from_numpy(np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2)))
        return self.model.data_preprocessor(dict(inputs=bgr))['inputs']

    def _fingerprint(self) -> str:
        from tsgan.checkpoints import fingerprint

        parts = ['type', 'data_preprocessor', 'reid_size', *self.model.TESTED]
        about = {part: without(self.cfg.model[part], UNTOLD) for part in parts if part in self.cfg.model}
        weights = {
            name: tensor
            for name, tensor in tested_state(self.model).items()
            if 'classifier' not in name and not name.endswith('num_batches_tracked')
        }
        whole = [self.size, about, fingerprint(weights)]
        return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()


def without(part: object, keys: Iterable[str]) -> object:
    """A config without entries of these names, wherever they are."""
    if isinstance(part, dict):
        return {key: without(value, keys) for key, value in part.items() if key not in keys}
    return [without(value, keys) for value in part] if isinstance(part, (list, tuple)) else part


def input_size(cfg: 'Config') -> tuple[int, int]:
    """Height and width of the images that a config's network sees in a test.

    Raises:
        ValueError: When its test prepares them otherwise than an inferencer does.
    """
    pipeline = cfg.test_dataloader.dataset.pipeline if 'test_dataloader' in cfg else []
    steps = [(step['type'].split('.')[-1], {key for key in step if key != 'type'}) for step in pipeline]
    if [name for name, _ in steps] != ['LoadReIDImage', 'Resize', 'PackInputs'] or steps[1][1] != {'scale'}:
        found = ', '.join(name for name, _ in steps) or 'nothing'
        raise ValueError(
            f'{cfg.filename or "the config"} prepares the images of its test by {found}: expected LoadReIDImage, '
            'Resize with a scale alone, and PackInputs.'
        )
    width, height = pipeline[1]['scale']
    return height, width


class Decoded(NamedTuple):
    """An image for the network, and what had to be decided."""

    row: ImageRow
    image: np.ndarray | None  # RGB, uint8, (H, W, 3), of the network's size
    by_pixels: bool  # whether the modality was
    whole_range: str | None  # type of the values that were scaled by its whole range


class ReIDInferencer(BaseInferencer):
    """Features of images: people of one identity have near ones, in whichever modality.

    Images are prepared as in the model's test (``tools/test.py``): upright by their EXIF, without transparency, eight
    bits a value, resized to the network's size. Features have unit length. Those of a model whose test compares them as
    they are (``normalize=False`` in its evaluator) rank otherwise there.

    An image's modality is what the argument says, else what its folders say (``rgb/``, ``thermal/``, see
    :func:`tsgan.datasets.loose_images.find_images`), else 'ir' where its three channels are equal in all pixels, as
    those of gray files are. Most models treat both alike; of those that do not, it is logged how often pixels decided.

    Images of more than eight bits are scaled by the range that the training had for their modality; where it had none,
    by the whole range of their type, which is logged, too.

    Args:
        model (str | Path | Config): A name of :func:`tsgan.apis.list_models`, a config file, a config, or an ONNX file
            of :func:`tsgan.apis.export_onnx`, which needs neither MMPretrain nor torch. Defaults to the one that comes
            with the package.
        weights (str | Path, optional): A checkpoint, its address, or the work dir of a training. Defaults to None: what
            comes with the package under the model's name.
        device (str | torch.device, optional): Defaults to None: a GPU where there is one; an ONNX file runs on the CPU.
        modality (str): 'auto', or 'rgb' or 'ir' of all images. Defaults to 'auto'.

    Attributes:
        network (TorchNetwork | OnnxNetwork): What makes features of images of one size.
        rows (list[ImageRow]): What is known of the images of the last :meth:`extract`, a row for each feature.
        skipped (list[tuple[str, str]]): Path and reason of each image that the last call could not read.

    Raises:
        FileNotFoundError: When the weights are not there.
        RuntimeError: When they are those of another network.
        ValueError: When there is no such model or device, or its test prepares images in another way.
    """

    def __init__(
        self,
        model: 'str | Path | Config' = 'tsgan-jd_small_synthetic',
        weights: str | Path | None = None,
        device: 'str | torch.device | None' = None,
        modality: str = 'auto',
    ) -> None:
        if modality not in ('auto', 'rgb', 'ir'):
            raise ValueError(f"modality is 'auto', 'rgb' or 'ir', not {modality!r}.")
        self.modality = modality
        self.network = make_network(model, weights, device)
        self.rows: list[ImageRow] = []
        self.skipped: list[tuple[str, str]] = []
        self._pillow = Lock()  # an image of Pillow's may be given twice, and is not to be decoded twice at a time

    list_models = staticmethod(list_models)

    @property
    def name(self) -> str:
        """str: What the model is called."""
        return self.network.name

    @property
    def dim(self) -> int:
        """int: D, the length of a feature."""
        return self.network.dim

    @property
    def fingerprint(self) -> str:
        """str: What tells the model, its weights and its preprocessing from all others."""
        return self.network.fingerprint

    def extract(self, inputs: object, batch_size: int = 64) -> np.ndarray:
        """Features of images, (N, D) float32, of unit length; :attr:`rows` says of which.

        Args:
            inputs (object): Folders, files, patterns, arrays (BGR, as OpenCV and MMCV have it), PIL images, see
                :func:`tsgan.datasets.loose_images.find_images`. Files that cannot be read are left out, and are in
                :attr:`skipped`.
            batch_size (int): Images at a time. Defaults to 64.

        Raises:
            FileNotFoundError: When there is no such file, or no image in a folder.
            ValueError: When none of the images can be read.
        """
        images, rows, feats = find_images(inputs), [], []
        for batch in self.preprocess(progress(images, 'images'), batch_size):
            rows += [one.row for one in batch]
            feats.append(self.forward(batch))
        self.rows = rows
        return np.concatenate(feats)

    def iter_features(self, inputs: object, batch_size: int = 64) -> Iterator[tuple[list[ImageRow], np.ndarray]]:
        """As :meth:`extract`, batch by batch, in order: rows, and their features (n, D); n is below ``batch_size`` at
        the end alone."""
        for batch in self.preprocess(find_images(inputs), batch_size):
            yield [one.row for one in batch], self.forward(batch)

    def __call__(
        self,
        inputs: object,
        gallery: object = None,
        batch_size: int = 64,
        topk: int = 10,
        show_dir: str | Path | None = None,
        calibration: 'Calibration | str | Path | None' = None,
        enrolled: float = 0.5,
        level: float = 0.95,
    ) -> list[dict]:
        """Search a gallery for the nearest images of each.

        Args:
            inputs (object): Queries, as of :meth:`extract`.
            gallery (object, optional): A :class:`tsgan.apis.Gallery`, or images to make one of. Defaults to None: the
                queries themselves, each of them searched for among all others.
            batch_size (int): Images at a time. Defaults to 64.
            topk (int): How many hits of each query. Defaults to 10.
            show_dir (str | Path, optional): Folder for a picture of each query with its hits: green borders where both
                are of one identity, red where they are not, gray where that is not known. Defaults to None.
            calibration (Calibration | str | Path, optional): As of :meth:`tsgan.apis.Gallery.search`, for a gallery.
                Defaults to None.
            enrolled, level (float): As there. Default to 0.5 and 0.95.

        Returns:
            list[dict]: For each query that could be read ``query``, its path, and ``hits``, see
            :meth:`tsgan.apis.Gallery.search`; with a calibration, the last one is the row for nobody.

        Raises:
            FileNotFoundError: When there is no such file, or no image in a folder.
            ValueError: When none of the images can be read, or the gallery or the calibration is another model's.
        """
        from tsgan.apis.gallery import Gallery

        if gallery is None and calibration is not None:
            raise ValueError(
                'a calibration says whether somebody is in a gallery, and queries that are searched for among '
                'themselves have none: expected gallery=.'
            )
        if calibration is not None:
            calibration = ready(calibration, enrolled, level, self.name, self.fingerprint)
        queries, feats = [], []
        for batch in self.preprocess(progress(find_images(inputs), 'images'), batch_size):
            queries += [one if one.row.path is None else one._replace(image=None) for one in batch]  # to draw those
            feats.append(self.forward(batch))
        skipped, feats = self.skipped, np.concatenate(feats)
        if gallery is None:
            gallery = Gallery(self.name, self.fingerprint, self.dim)
            own = gallery.add(feats, [one.row for one in queries], keys=[f'#{i}' for i in range(len(queries))])
            hits = gallery.search(feats, topk + 1)
            hits = [[hit for hit in found if hit['key'] != key][:topk] for key, found in zip(own, hits, strict=True)]
        else:
            if not isinstance(gallery, Gallery):
                gallery = Gallery.build(self, gallery, batch_size=batch_size)
                self.skipped = skipped + self.skipped
            if gallery.fingerprint != self.fingerprint:
                raise ValueError(
                    f'the gallery has features of {gallery.model} ({gallery.fingerprint[:8]}), the queries have those '
                    f'of {self.name} ({self.fingerprint[:8]}): expected one model, of the same weights and size.'
                )
            rows = [one.row for one in queries]
            hits = gallery.search(feats, topk, calibration=calibration, queries=rows, enrolled=enrolled, level=level)
        if show_dir is not None:
            self.visualize(queries, hits, show_dir)
        return self.postprocess(queries, hits)

    def translate(self, image: object) -> np.ndarray | None:
        """What a model's generators make of an image: RGB -> fake IR, IR -> fake RGB.

        Returns:
            np.ndarray | None: RGB, (H, W, 3) uint8, of the network's size; None where the model has no generators, or
            its weights not theirs.

        Raises:
            ValueError: When it is not one image, or cannot be read.
        """
        images = find_images(image)
        if len(images) != 1:
            raise ValueError(f'{len(images)} images were given to be translated: expected one.')
        decoded = self._decode(images[0])
        translate = getattr(self.network, 'translate', None)
        return translate and translate(decoded.image, decoded.row.modality == 'rgb')

    def preprocess(self, inputs: Iterable[LooseImage], batch_size: int = 64) -> Iterator[list[Decoded]]:
        """Batches of images for the network, in order; at the end it is said what was decided and left out.

        Raises:
            ValueError: At the end, when none could be read.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size is {batch_size}: expected at least 1.')
        self.skipped, counts = [], Counter()
        decoded = self._decoded(inputs, batch_size)
        try:
            while batch := list(islice(decoded, batch_size)):
                counts['read'] += len(batch)
                counts.update(one.row.modality for one in batch if one.by_pixels)
                counts.update(f'whole range of {one.whole_range}' for one in batch if one.whole_range)
                yield batch
        finally:
            decoded.close()
        self._report(counts)

    def forward(self, batch: list[Decoded]) -> np.ndarray:
        """Features of a batch, (n, D) float32, of unit length."""
        is_rgb = np.array([one.row.modality == 'rgb' for one in batch])
        return l2_normalize(self.network(np.stack([one.image for one in batch]), is_rgb))

    def visualize(self, queries: list[Decoded], hits: list[list[dict]], show_dir: str | Path) -> None:
        """Draw each query with its hits into a file of its own (paper, Fig. 4)."""
        from tsgan.visualization.files import save_picture
        from tsgan.visualization.grids import ranked_list

        folder = Path(show_dir)
        in_memory = {f'#{number}': query.image for number, query in enumerate(queries)}  # where they are the gallery
        for number, (query, found) in enumerate(zip(queries, hits, strict=True), 1):
            path, identity, camera, _ = query.row
            found, nobody = without_nobody(found)
            about = [] if nobody is None else [f'nobody {percent(nobody["probability"])}']
            picture = ranked_list(
                [self._picture(path, query.image)],
                [[self._picture(hit['path'], in_memory.get(hit['key'])) for hit in found]],
                [[same(identity, hit['identity']) for hit in found]],
                [caption(identity, camera, *about)],
                [[caption(hit['identity'], hit['camera'], *numbers(hit)) for hit in found]],
            )
            save_picture(folder / f'{number:04d}_{Path(path).stem if path else "image"}.png', picture)

    def postprocess(self, queries: list[Decoded], hits: list[list[dict]]) -> list[dict]:
        """Queries by their path, with their hits."""
        return [{'query': one.row.path, 'hits': found} for one, found in zip(queries, hits, strict=True)]

    def _picture(self, path: str | None, image: np.ndarray | None) -> np.ndarray:
        """What is drawn of an image, RGB; of one that is not to be had any more, nothing."""
        if path is None:
            return np.full((8, 4, 3), 255, np.uint8) if image is None else image
        try:
            return self._decode(LooseImage(ImageRow(path)), resized=False).image
        except (OSError, ValueError, cv2.error):
            return np.full((8, 4, 3), 255, np.uint8)

    def _report(self, counts: Counter) -> None:
        """Say what was decided and left out. Raises ValueError where nothing remains."""
        if not counts['read']:
            path, why = self.skipped[0]
            raise ValueError(f'none of {len(self.skipped)} images can be read; the first one, {path}: {why}.')
        if self.network.needs_modality and (counts['rgb'] or counts['ir']):
            LOG.warning(
                f'{counts["ir"]} of {counts["read"]} images were taken for infrared, since their three channels are '
                f"equal, and {counts['rgb']} for RGB, since they are not; modality='rgb' or 'ir' says it of all."
            )
        for kind in [kind for kind in counts if kind.startswith('whole')]:
            LOG.warning(
                f'{counts[kind]} images were scaled to 8 bits by the {kind.removeprefix("whole range of ")} range that '
                'their type has: the training had no such images of their modality.'
            )
        if self.skipped:
            LOG.warning(f'{len(self.skipped)} of {len(self.skipped) + counts["read"]} images could not be read:')
            for path, why in self.skipped[:NAMED]:
                LOG.warning(f'  {path}: {why}')
            if len(self.skipped) > NAMED:
                LOG.warning(f'  and {len(self.skipped) - NAMED} more')

    def _decoded(self, images: Iterable[LooseImage], batch_size: int) -> Iterator[Decoded]:
        """Images in their order, decoded ahead by threads, at most two batches of them."""
        waiting: deque[tuple[LooseImage, Future]] = deque()
        images = iter(images)
        pool = ThreadPoolExecutor(min(num_cores(), MAX_DECODERS), 'decoder')
        try:
            while True:
                waiting.extend(
                    (image, pool.submit(self._decode, image)) for image in islice(images, 2 * batch_size - len(waiting))
                )
                if not waiting:
                    return
                image, future = waiting.popleft()
                try:
                    decoded = future.result()
                except Exception as error:
                    self.skipped.append((image.row.path or '(an image in memory)', reason(error)))
                    continue
                yield decoded
        finally:
            pool.shutdown(cancel_futures=True)

    def _decode(self, image: LooseImage, resized: bool = True) -> Decoded:
        pixels = self._pixels(image)
        modality = image.row.modality if self.modality == 'auto' else self.modality
        by_pixels = modality is None
        if by_pixels:
            modality = 'ir' if is_gray(pixels) else 'rgb'
        whole_range = None
        if is_deep(pixels):
            given = getattr(self.network, 'value_range', {}).get(modality)
            whole_range = None if given else str(pixels.dtype)
            pixels = to_uint8(pixels, given or range_of(pixels.dtype))
        if resized:
            pixels = cv2.resize(pixels, self.network.size[::-1], interpolation=cv2.INTER_LINEAR)
        return Decoded(image.row._replace(modality=modality), pixels[..., ::-1], by_pixels, whole_range)

    def _pixels(self, image: LooseImage) -> np.ndarray:
        """BGR, (H, W, 3), with the values that the image has."""
        if image.image is None:
            return decode(image.row.path)
        if isinstance(image.image, Image.Image):
            with self._pillow:
                return decode_pillow(image.image)
        return image.image if image.image.ndim == 3 else np.dstack([image.image] * 3)


def make_network(model: 'str | Path | Config', weights: str | Path | None, device: 'str | torch.device | None'):
    """What makes features: of PyTorch, or of an ONNX file."""
    if not isinstance(model, (str, os.PathLike)) or Path(model).suffix.lower() != '.onnx':
        return TorchNetwork(model, weights, device)
    if weights is not None:
        raise ValueError(f'weights={weights}: {model} holds its own; expected it alone.')
    if device is not None and str(device) != 'cpu':
        raise ValueError(f'device={device}: ONNX files run on the CPU here; expected none, or cpu.')
    from tsgan.apis.export import OnnxNetwork

    return OnnxNetwork(model)


def same(identity: str | None, other: str | None) -> bool | None:
    """Whether two images show one identity; None where that is not known."""
    return None if None in (identity, other) else identity == other


def caption(identity: str | None, camera: str | None, *more: str) -> str:
    """Lines below an image: what is known of it."""
    return '\n'.join([' '.join(filter(None, (identity, camera))), *more])


def numbers(hit: dict) -> list[str]:
    """Lines below a hit: its score, and what a calibration says."""
    score = f'{hit["score"]:.3f}'
    if 'probability' not in hit:
        return [score]
    return [score, percent(hit['probability']) + (', candidate' if hit['candidate'] else '')]


def is_gray(image: np.ndarray) -> bool:
    """Whether the three channels of an image, (H, W, 3), are equal in all pixels."""

    def equal(part: np.ndarray) -> bool:
        return (part[..., 0] == part[..., 1]).all() and (part[..., 1] == part[..., 2]).all()

    return bool(equal(image[::16, ::16]) and equal(image))  # most images of colour show it at once


def range_of(dtype: np.dtype) -> tuple[float, float]:
    """The lowest and the highest value of a type. Raises ValueError where that says nothing of an image."""
    if dtype != np.uint16:
        raise ValueError(f'its values are {dtype}, and the training had no range for them: expected 8 or 16 bits')
    return 0, np.iinfo(dtype).max


def reason(error: Exception) -> str:
    """Why an image could not be read, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return ' '.join(str(error).split()) if isinstance(error, ValueError) else in_words(error)
