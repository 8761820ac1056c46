"""Images -> features, by a trained model."""

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.structures import DataSample
from PIL import Image

from tsgan.apis.hub import find_config, get_model, tested
from tsgan.datasets.loose_images import ImageRow, LooseImage, find_images
from tsgan.evaluation.progress import progress
from tsgan.images import in_words, read_image


class TorchNetwork:
    """A model's network as the inferencer calls it: 8-bit images in, features out."""

    def __init__(self, model, weights=None, device=None) -> None:
        self.model = get_model(model, weights, device)
        self.cfg = self.model.config
        self.name = model.filename or 'config' if isinstance(model, Config) else str(model)
        self.size = network_size(self.cfg)
        children = [getattr(self.model, child) for child in self.model.TESTED]
        encoder = getattr(self.model.reid, 'encoder', None)
        self.needs_modality = getattr(encoder, 'needs_modality', False) or len(children) > 1
        self.fingerprint = self._fingerprint()
        self.dim = self(np.zeros((1, *self.size, 3), np.uint8), np.array([True])).shape[1]

    @torch.no_grad()
    def __call__(self, images: np.ndarray, is_rgb: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(images[..., ::-1].copy()).permute(0, 3, 1, 2)  # (N, 3, H, W), BGR
        samples = None
        if self.needs_modality:
            samples = [DataSample(metainfo=dict(modality='rgb' if rgb else 'ir')) for rgb in is_rgb]
        data = self.model.data_preprocessor(dict(inputs=inputs, data_samples=samples))
        return self.model(**data, mode='tensor').float().cpu().numpy()

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(json.dumps(dict(size=self.size)).encode())
        state = self.model.state_dict()
        for name in sorted(tested(self.model)):
            if 'classifier' not in name:
                tensor = state[name].cpu().contiguous()
                digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode())
                digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()


def network_size(cfg: Config) -> tuple[int, int]:
    """Height and width of what the network sees."""
    resize = next(step for step in cfg.test_dataloader.dataset.pipeline if step.type.endswith('Resize'))
    width, height = resize.scale
    return height, width


class ReIDInferencer(BaseInferencer):
    """Features of images, by a model."""

    def __init__(
        self,
        model: str | Path | Config = 'tsgan-jd_small_synthetic',
        weights: str | Path | None = None,
        device: str | None = None,
        modality: str = 'auto',
    ) -> None:
        if modality not in ('auto', 'rgb', 'ir'):
            raise ValueError(f"modality is 'auto', 'rgb' or 'ir', not {modality!r}.")
        self.network = TorchNetwork(model, weights, device)
        self.modality = modality
        self.rows: list[ImageRow] = []
        self.skipped: list[tuple[str, str]] = []

    name = property(lambda self: self.network.name)
    dim = property(lambda self: self.network.dim)
    fingerprint = property(lambda self: self.network.fingerprint)

    def extract(self, inputs: object, batch_size: int = 64) -> np.ndarray:
        """Features of images, (N, D) float32, of unit length; those that cannot be read are left out."""
        images = find_images(inputs)
        rows, feats = [], []
        for batch_rows, batch in self.iter_features(progress(images, 'images'), batch_size):
            rows += batch_rows
            feats.append(batch)
        self.rows = rows
        if not rows:
            raise ValueError(f'none of {len(images)} images can be read: {"; ".join(map(": ".join, self.skipped[:3]))}')
        return np.concatenate(feats)

    def iter_features(self, inputs: object, batch_size: int = 64) -> Iterator[tuple[list[ImageRow], np.ndarray]]:
        """Batch by batch, in order: rows, and their features (n, D), float32, of unit length."""
        self.skipped = []
        images = inputs if isinstance(inputs, Iterator) else find_images(inputs)
        for batch in batches(self._decoded(images, batch_size), batch_size):
            rows, pixels = zip(*batch, strict=True)
            feats = self.network(np.stack(pixels), np.array([row.modality == 'rgb' for row in rows]))
            yield list(rows), feats / np.maximum(np.linalg.norm(feats, axis=1, keepdims=True), 1e-12)

    def _decoded(self, images: Iterable[LooseImage], batch_size: int) -> Iterator[tuple[ImageRow, np.ndarray]]:
        """Rows and RGB images of the network's size, decoded ahead in threads."""
        waiting: deque[tuple[LooseImage, Future]] = deque()
        images = iter(images)
        pool = ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), 16))
        try:
            while True:
                for image in islice(images, max(2 * batch_size - len(waiting), 0)):
                    waiting.append((image, pool.submit(self._decode, image)))
                if not waiting:
                    return
                image, future = waiting.popleft()
                try:
                    yield future.result()
                except Exception as error:
                    self.skipped.append((image.row.path or 'an image without a name', in_words(error)))
        finally:
            pool.shutdown(cancel_futures=True)

    def _decode(self, image: LooseImage) -> tuple[ImageRow, np.ndarray]:
        pixels = as_bgr(image)
        modality = self.modality if self.modality != 'auto' else image.row.modality
        if modality is None:
            modality = 'ir' if (pixels[..., :1] == pixels).all() else 'rgb'
        height, width = self.network.size
        small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        return image.row._replace(modality=modality), small[..., ::-1]

    def _init_pipeline(self, cfg: Config):
        raise NotImplementedError

    def postprocess(self):
        raise NotImplementedError


def as_bgr(image: LooseImage) -> np.ndarray:
    """uint8, (H, W, 3)."""
    if image.image is None:
        return read_image(image.row.path)
    if isinstance(image.image, Image.Image):
        return np.asarray(image.image.convert('RGB'))[..., ::-1]
    return image.image if image.image.ndim == 3 else cv2.cvtColor(image.image, cv2.COLOR_GRAY2BGR)


def batches(items: Iterable, size: int) -> Iterator[list]:
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch
