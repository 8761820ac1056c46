"""A model as an ONNX file: written from PyTorch, measured against it, quantised, and run without it.

:class:`OnnxNetwork` needs neither torch nor MMEngine.
"""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from tsgan.apis.onnx_files import names_other_files
from tsgan.evaluation import FeatureTable, evaluate
from tsgan.evaluation.features import l2_normalize
from tsgan.evaluation.progress import progress
from tsgan.extras import need
from tsgan.version import __version__
from tsgan.whole_files import whole_file

if TYPE_CHECKING:
    from mmengine.config import Config

OPSET = 17
TOLERANCE = 1e-4  # of features of unit length
NUM_IMAGES = 64  # that a file is compared on
ENTRY = 'tsgan'  # of the file's metadata: JSON
RENDER_SEED = 10_001  # of people that no data set of the toolbox shows
RENDER_SIZES = ((96, 48), (128, 64), (177, 61), (64, 40))  # height, width


class OnnxNetwork:
    """A network that :func:`export_onnx` has written, run by ONNX Runtime on the CPU.

    Args:
        file (str | Path): The ONNX file.
        num_threads (int, optional): Defaults to None: one for each core.

    Attributes:
        name (str): The model's, as it was exported.
        fingerprint (str): That of the model; of a quantised one, its own.
        size (tuple[int, int]): Height and width of the images that the network sees.
        resizes (bool): Whether it takes images of any size, and resizes them itself.
        dim (int): Length of a feature.
        needs_modality (bool): Whether it must know which images are RGB.
        value_range (dict[str, tuple[float, float]]): As of :class:`tsgan.apis.inferencer.TorchNetwork`.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is no ONNX file, or another program's.
        ImportError: Without ONNX Runtime.
    """

    def __init__(self, file: str | Path, num_threads: int | None = None) -> None:
        runtime = need('onnxruntime', 'onnx')
        if not Path(file).is_file():
            raise FileNotFoundError(f'no ONNX file at {file}.')
        options = runtime.SessionOptions()
        options.log_severity_level = 4  # whatever is wrong is raised, too
        options.intra_op_num_threads = num_threads or 0
        if refers_elsewhere(file):
            raise ValueError(f'{file} has numbers in other files: expected all of them in it, as it is exported here.')
        try:
            self.session = runtime.InferenceSession(str(file), options, providers=['CPUExecutionProvider'])
        except Exception as error:  # of many classes, none of them public
            raise ValueError(f'{file} cannot be read as an ONNX file: {" ".join(str(error).split())[:300]}') from error
        entries = self.session.get_modelmeta().custom_metadata_map
        if ENTRY not in entries:
            raise ValueError(
                f'{file} does not say how it takes images: expected a file of tools/deployment/export_onnx.py.'
            )
        try:
            about = json.loads(entries[ENTRY])
            self.name: str = about['name']
            self.fingerprint: str = about['fingerprint']
            self.size: tuple[int, int] = tuple(about['size'])
            self.resizes: bool = about['with_preprocess']
            self.dim: int = about['dim']
            self.needs_modality: bool = about['needs_modality']
            self.value_range: dict[str, tuple[float, float]] = about['value_range']
            self.mean, self.std = (np.array(about[key], np.float32).reshape(3, 1, 1) for key in ('mean', 'std'))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(
                f'{file} says in a way unknown here how it takes images ({type(error).__name__}: {error}): export anew.'
            ) from error

    def __call__(self, images: np.ndarray, is_rgb: np.ndarray | None = None) -> np.ndarray:
        """Features of unit length, (N, dim) float32.

        Args:
            images (np.ndarray): (N, H, W, 3) uint8, RGB; H and W as :attr:`size` says, or any where it :attr:`resizes`.
            is_rgb (np.ndarray, optional): Which of them are RGB images, (N,) bool. Defaults to None.

        Raises:
            ValueError: On images of another kind or size, and without ``is_rgb`` where it is needed.
        """
        if not len(images):
            return np.empty((0, self.dim), np.float32)
        return l2_normalize(self.session.run(None, self.inputs(images, is_rgb))[0])

    def inputs(self, images: np.ndarray, is_rgb: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """What the graph is fed with."""
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
            raise ValueError(f'images are {images.dtype} of shape {images.shape}: expected uint8, RGB, (N, H, W, 3).')
        if not self.resizes and images.shape[1:3] != self.size:
            raise ValueError(
                f'{self.name} takes images of {"x".join(map(str, self.size))}, not '
                f'{"x".join(map(str, images.shape[1:3]))}: resize them, or export it with the preprocessing.'
            )
        if not self.resizes:
            images = (images.transpose(0, 3, 1, 2) - self.mean) / self.std  # (N, 3, H, W)
        fed = {'images': np.ascontiguousarray(images)}
        if self.needs_modality:
            if is_rgb is None:
                raise ValueError(f'{self.name} must know which images are RGB: give is_rgb, (N,) bool.')
            fed['is_rgb'] = np.asarray(is_rgb, bool)
        return fed


def refers_elsewhere(file: str | Path) -> bool:
    try:
        return names_other_files(Path(file).read_bytes())
    except ValueError:  # ONNX Runtime says what is wrong
        return False


class Parity(NamedTuple):
    """How far the features of a file are from those of PyTorch, all of unit length."""

    num_images: int
    difference: float  # largest of any element
    to_inferencer: float | None  # the same from what ReIDInferencer makes of the images; None without preprocessing


def export_onnx(
    model: 'str | Path | Config',
    out: str | Path,
    weights: str | Path | None = None,
    with_preprocess: bool = False,
    images: str | Path | None = None,
) -> Parity:
    """Write the network that makes a model's features as an ONNX file, for any number of images at a time.

    Inputs: ``images``, (N, 3, H, W) float32, normalised, RGB, of the size of the model's test; with the preprocessing,
    (N, H, W, 3) uint8, RGB, of any size. Of a model that has to know them apart, also ``is_rgb``, (N,) bool. Output:
    ``features``, (N, C) float32; with the preprocessing, of unit length. What the file is, is in its metadata, JSON in
    the entry ``tsgan``.

    The preprocessing resizes as ``cv2.resize`` does, in the same fixed point: no difference remains.

    Args:
        model (str | Path | Config): A name of :func:`tsgan.apis.list_models`, a config file, or a config.
        out (str | Path): The file to write; it is there once it has been compared with PyTorch.
        weights (str | Path, optional): As of :func:`tsgan.apis.get_model`. Defaults to None.
        with_preprocess (bool): Put resizing, normalisation and unit length into the file. Defaults to False.
        images (str | Path, optional): Folder of images to compare on, up to 64. Defaults to None: rendered people.

    Raises:
        RuntimeError: When an element of a feature differs by more than 1e-4; nothing is written then.
        ValueError: When the model is no network, or its test prepares images in another way than an inferencer does.
        ImportError: Without ONNX or ONNX Runtime.
    """
    need('onnx', 'onnx'), need('onnxruntime', 'onnx')
    from tsgan.apis.inferencer import ReIDInferencer, is_gray

    reid = ReIDInferencer(model, weights, device='cpu')
    network = reid.network
    check_exportable(network)
    pictures = read_images(images, NUM_IMAGES)
    with whole_file(out) as unfinished:
        deployed = write_graph(network, with_preprocess, unfinished)
        exported = OnnxNetwork(unfinished)
        differences = []
        for batch, is_rgb in batches(pictures, None if with_preprocess else network.size):
            found = exported(batch, is_rgb)
            wanted = run_torch(deployed, batch, is_rgb) if with_preprocess else l2_normalize(network(batch, is_rgb))
            differences.append(np.abs(found - wanted).max())
        difference = float(np.max(differences))
        if not difference <= TOLERANCE:  # NaN is not, either
            raise RuntimeError(
                f'{network.name} has other features in ONNX Runtime than in PyTorch: they differ by {difference:.1e}, '
                f'expected at most {TOLERANCE:.0e}; {out} was not written.'
            )
        to_inferencer = None
        if with_preprocess:
            features = [exported(p[None, ..., ::-1], np.array([not is_gray(p)]))[0] for p in pictures]
            to_inferencer = float(np.abs(np.stack(features) - reid.extract(pictures)).max())
    return Parity(len(pictures), difference, to_inferencer)


def check_exportable(network) -> None:
    """Raises ValueError where a model cannot become a graph that does the same."""
    if isinstance(network, OnnxNetwork):
        raise ValueError(f'{network.name} is an ONNX file already: expected the model that it was made of.')
    from tsgan.models.rivals import HandcraftedReID

    if isinstance(network.model, HandcraftedReID):
        raise ValueError(f'{network.name} describes images by NumPy and OpenCV: it is no network to be exported.')
    if not getattr(network.model.data_preprocessor, '_channel_conversion', False):
        raise ValueError(f'the data preprocessor of {network.name} keeps BGR: expected bgr_to_rgb=True.')


def write_graph(network, with_preprocess: bool, file: Path) -> Callable:
    """Write the file, with its metadata; gives back the module that was written."""
    import warnings

    import onnx
    import torch

    from tsgan.models.deployed import Deployed

    deployed = Deployed(network.model, network.size if with_preprocess else None).eval()
    height, width = network.size
    both = torch.tensor([True, False])
    if with_preprocess:
        images = torch.zeros(2, 2 * height + 1, 2 * width + 1, 3, dtype=torch.uint8)
        axes = {0: 'N', 1: 'H', 2: 'W'}
    else:
        images, axes = torch.zeros(2, 3, height, width), {0: 'N'}
    names = ['images', 'is_rgb'] if network.needs_modality else ['images']
    # The exporter by TorchScript, whose graphs may have batches without an image in them (two streams); the newer one,
    # by torch.export, refuses these (seen with torch 2.15).
    torch.onnx.register_custom_op_symbolic('aten::atanh', lambda graph, x: graph.op('Atanh', x), 9)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            deployed,
            (images, both)[: len(names)],
            str(file),
            input_names=names,
            output_names=['features'],
            dynamic_axes={name: axes if name == 'images' else {0: 'N'} for name in [*names, 'features']},
            opset_version=OPSET,
            dynamo=False,
        )
    preprocessor = network.model.data_preprocessor
    graph = onnx.load(file)
    write_about(
        graph,
        name=network.name,
        fingerprint=network.fingerprint,
        size=list(network.size),
        mean=preprocessor.mean.flatten().tolist(),
        std=preprocessor.std.flatten().tolist(),
        dim=network.dim,
        needs_modality=network.needs_modality,
        value_range=network.value_range,
        with_preprocess=with_preprocess,
        tsgan=__version__,
    )
    onnx.checker.check_model(graph)
    onnx.save(graph, file)
    return deployed


def write_about(graph, **about: object) -> None:
    """Put what a file is into its metadata."""
    import onnx

    onnx.helper.set_model_props(graph, {ENTRY: json.dumps(about)})


def read_about(graph) -> dict:
    return json.loads({entry.key: entry.value for entry in graph.metadata_props}[ENTRY])


def run_torch(deployed: Callable, images: np.ndarray, is_rgb: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        return deployed(torch.from_numpy(images), torch.from_numpy(is_rgb)).numpy()


def quantize_onnx(file: str | Path, out: str | Path, images: str | Path | None = None, num_images: int = 256) -> float:
    """Write a file of :func:`export_onnx` with 8-bit weights and activations (static quantisation, a scale a channel).

    Activations keep the ranges that they have on the images. Weights have 7 bits, since CPUs without VNNI saturate sums
    of products of 8 bits.

    Args:
        file (str | Path): The ONNX file.
        out (str | Path): The file to write.
        images (str | Path, optional): Folder of images like those that it will see. Defaults to None: rendered people.
        num_images (int): At most so many of them. Defaults to 256.

    Returns:
        float: Mean cosine between features of both on these images.

    Raises:
        ValueError: When the file is none of :func:`export_onnx`.
        ImportError: Without ONNX or ONNX Runtime.
    """
    import logging

    onnx = need('onnx', 'onnx')
    quantization = need('onnxruntime.quantization', 'onnx')
    network = OnnxNetwork(file)
    fed = list(batches(read_images(images, num_images), network.size))
    with whole_file(out) as unfinished:
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)  # that the graph might be optimised first: the exporter has done it
        try:
            quantization.quantize_static(
                str(file),
                str(unfinished),
                Feeds(network, fed),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=['Conv', 'Gemm', 'MatMul'],
                per_channel=True,
                reduce_range=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
        finally:
            logging.disable(level)
        graph = onnx.load(unfinished)
        about = read_about(graph)
        del graph.metadata_props[:]
        # its own: features of 8 bits are not those of the model
        about['fingerprint'] = hashlib.sha256(graph.SerializeToString(deterministic=True)).hexdigest()
        write_about(graph, **about, int8=True)
        onnx.save(graph, unfinished)
        quantised = OnnxNetwork(unfinished)
        return float(np.mean([(network(*batch) * quantised(*batch)).sum(axis=1).mean() for batch in fed]))


class Feeds:
    """Batches of images, as ONNX Runtime's calibration asks for them."""

    def __init__(self, network: OnnxNetwork, fed: list[tuple[np.ndarray, np.ndarray]]) -> None:
        self.inputs = (network.inputs(*batch) for batch in fed)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.inputs, None)


def measure_networks(
    networks: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]],
    model: 'str | Path | Config',
    data_root: str | Path,
) -> dict[str, dict[str, dict]]:
    """What networks of one model find among the test images of its config, by that config's protocol.

    Args:
        networks (dict[str, Callable]): By name; an :class:`OnnxNetwork`, or whatever is called alike.
        model (str | Path | Config): Name or config of the model.
        data_root (str | Path): Folder of the data set.

    Returns:
        dict[str, dict[str, dict]]: For each network what :func:`tsgan.evaluation.evaluate` gives.
    """
    from mmengine.registry import DefaultScope

    from tsgan.apis.hub import find_config
    from tsgan.registry import DATASETS, TASK_UTILS

    cfg = copy.deepcopy(find_config(model))
    data, protocol = cfg.test_dataloader.dataset, cfg.test_evaluator.protocol
    for key, value in protocol.items():  # the lists of a protocol lie in the data set's folder
        if isinstance(value, str) and value.startswith(f'{data.data_root}/'):
            protocol[key] = f'{data_root}/{value.removeprefix(f"{data.data_root}/")}'
    data.data_root = str(data_root)
    with DefaultScope.overwrite_default_scope('tsgan'):
        dataset = DATASETS.build(data)
        protocol = TASK_UTILS.build(protocol)
    rows = [dataset.get_data_info(index) for index in range(len(dataset))]
    columns = {f'{key}s': [row[key] for row in rows] for key in ('pid', 'camid', 'frame', 'modality')}
    is_rgb = np.array(columns['modalitys']) == 'rgb'
    feats = {name: [] for name in networks}
    for start in progress(range(0, len(dataset), 64), 'batches of test images'):
        index = range(start, min(start + 64, len(dataset)))
        images = np.stack([dataset[i]['inputs'].numpy() for i in index])  # (N, 3, H, W), BGR
        images = images[:, ::-1].transpose(0, 2, 3, 1)
        for name, network in networks.items():
            feats[name].append(network(images, is_rgb[index]))
    columns['modalities'] = columns.pop('modalitys')
    return {name: evaluate(FeatureTable(np.concatenate(feats[name]), **columns), protocol) for name in networks}


def read_images(folder: str | Path | None, number: int) -> list[np.ndarray]:
    """Up to so many images of a folder, evenly spaced, or rendered people, by turns of six cameras: BGR, (H, W, 3)."""
    if folder is not None:
        from tsgan.datasets.loose_images import find_images
        from tsgan.images import evenly, read_image

        return [read_image(image.row.path) for image in evenly(find_images(folder), number)]
    from tsgan.datasets.synthetic import identity, image_rng, render_image

    pictures = []
    for pid in range(1, number + 1):
        cam, size = 1 + pid % 6, RENDER_SIZES[pid // 6 % len(RENDER_SIZES)]
        rng = image_rng(RENDER_SEED, cam, pid, 1)
        pictures.append(render_image(identity(RENDER_SEED, pid), cam, rng, size, RENDER_SEED))
    return pictures


def batches(pictures: list[np.ndarray], size: tuple[int, int] | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images (N, H, W, 3), RGB, and which of them are no gray ones, (N,): a first one alone, then up to 32 of a shape.

    Args:
        pictures (list[np.ndarray]): BGR, (H, W, 3).
        size (tuple[int, int], optional): Height and width to resize them to; None leaves them as they are.
    """
    from tsgan.apis.inferencer import is_gray

    if size is not None:
        pictures = [cv2.resize(picture, size[::-1], interpolation=cv2.INTER_LINEAR) for picture in pictures]
    by_shape = {0: pictures[:1]}
    for picture in pictures[1:]:
        by_shape.setdefault(picture.shape, []).append(picture)
    for alike in by_shape.values():
        for start in range(0, len(alike), 32):
            images = np.stack(alike[start : start + 32])[..., ::-1]
            yield np.ascontiguousarray(images), np.array([not is_gray(image) for image in images])
