"""The metric that MMEngine's test loop calls; all it does is collect features and have them evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from tsgan.registry import METRICS, TASK_UTILS

from .evaluate import ScoredSetting, mean_with_mirrored, score_settings, side_by_side, summarize_trials
from .features import FeatureTable, save_features
from .protocols import CrossModalityProtocol, LLCMProtocol, RegDBProtocol, SingleModalityProtocol, SYSUMM01Protocol
from .ranking import METRIC_NAMES
from .report import results_table, write_results

for protocol_class in (SYSUMM01Protocol, RegDBProtocol, LLCMProtocol, SingleModalityProtocol, CrossModalityProtocol):
    TASK_UTILS.register_module(module=protocol_class)  # here, so that the protocols themselves know no MMEngine


@dataclass(frozen=True, eq=False)
class LastEvaluation:
    """What the last evaluation saw and found, for whoever draws it or looks closer.

    Attributes:
        features (FeatureTable): All test images, N rows, with their files.
        results (dict[str, dict]): What `evaluate` returns of them.
        scored (dict[str, ScoredSetting]): What each query was given, of which these are the means.
    """

    features: FeatureTable
    results: dict[str, dict]
    scored: dict[str, ScoredSetting]


@METRICS.register_module()
class ReIDMetric(BaseMetric):
    """Measures identity search in all settings of a protocol, from features extracted once.

    Each data sample holds `feature` (D,), `pid`, `camid`, `modality` ('rgb' or 'ir'), `frame` and `img_path`, and may
    hold `other_features`, (D_i,) by name, and `mirrored_features`, both sorts of the mirror image by name.
    Logged are `{setting}/{R1|R5|R10|R20|mAP|mINP}` in percent, with re-ranking `{setting}_rerank/...` too: pick a
    checkpoint by `save_best='val_single/mAP'`.

    Args:
        protocol (dict): Config of a protocol in TASK_UTILS: `dict(type='SYSUMM01Protocol', perm_file=...)`.
        rerank (bool): Also measure with k-reciprocal re-ranking. Defaults to False.
        normalize (bool): Bring every feature to unit length first. Defaults to True.
        features (Sequence[str]): Names of the features that are compared: 'feature', the model's own, or others of
            `named_features`, as 'before_neck' and 'after_neck'. Of several, the sum of their cosines counts (DEEN,
            Zhang and Wang, CVPR 2023, `test()` of its train.py). Defaults to (), the model's own.
        mirror (bool): Compare the mean of the features of image and mirror image, with `normalize` both at unit length
            (CAJ, Ye et al., ICCV 2021, testa.py); of several features, of each. Defaults to False.
        device (str, optional): Where re-ranking computes distances. Defaults to None: the GPU where torch sees one.
        memory_mb (int): Budget for blocks of distances in MiB. Defaults to 1024.
        json_file (str, optional): Where to write the results, with all that they must be published with.
        features_file (str, optional): Where to write what is compared as NPZ (see `save_features`). Beside it go
            other features of the same images, `FEATURES_<name>.npz`, and without `mirror` those of the mirror images
            that would be compared, `FEATURES_mirrored.npz`.
        training_identities (str, optional): Which identities trained the model and how its checkpoint was chosen, in
            words, for the JSON: 'train+val (395), last checkpoint'.
        tested (dict, optional): What else the JSON says of the model: `tools/test.py` puts config, checkpoint and its
            epoch here.
        collect_device (str): Where the features of all processes meet: 'gpu', in memory, whatever the backend; or
            'cpu', in files that each of them writes below the current folder. Defaults to 'gpu'.
        prefix (str, optional): See `BaseMetric`.

    Raises:
        ValueError: On several features that are not brought to unit length, whose cosines nobody could sum; in a test,
            on a feature that the model does not make.

    Attributes:
        last (LastEvaluation | None): What the last evaluation saw and found; on the main process only.
    """

    default_prefix = ''  # the setting is the prefix

    def __init__(
        self,
        protocol: dict,
        rerank: bool = False,
        normalize: bool = True,
        features: Sequence[str] = (),
        mirror: bool = False,
        device: str | None = None,
        memory_mb: int = 1024,
        json_file: str | None = None,
        features_file: str | None = None,
        training_identities: str | None = None,
        tested: dict | None = None,
        collect_device: str = 'gpu',
        prefix: str | None = None,
    ):
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.protocol = TASK_UTILS.build(protocol)
        self.rerank, self.normalize, self.device, self.memory_mb = rerank, normalize, device, memory_mb
        if isinstance(features, str):
            raise ValueError(f'features of ReIDMetric is {features!r}: expected a list of names, [{features!r}].')
        if len(features) > 1 and not normalize:
            raise ValueError(
                f'ReIDMetric sums the cosines of several features, {", ".join(features)}: expected normalize=True.'
            )
        self.features, self.mirror = list(features), mirror
        self.training_identities, self.tested = training_identities, tested or {}
        self.json_file, self.features_file = json_file, features_file
        self.last: LastEvaluation | None = None

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keeps the features and the labels of each sample."""
        for sample in data_samples:
            named = {'feature': sample['feature'], **sample.get('other_features', {})}
            result = {key: sample[key] for key in ('pid', 'camid', 'modality', 'frame', 'img_path')}
            result['features'] = self.compared(named)
            if 'mirrored_features' in sample and (self.mirror or self.features_file):
                result['mirrored'] = self.compared(sample['mirrored_features'])
            elif self.mirror:
                raise RuntimeError(
                    'the metric has mirror=True, and no features of mirror images: a MirrorFeaturesHook '
                    'has the model make them.'
                )
            if self.features_file:
                result['branches'] = {name: as_array(vector) for name, vector in named.items() if name != 'feature'}
            self.results.append(result)

    def compared(self, named: dict[str, Tensor]) -> list[np.ndarray]:
        """Of an image's features by name those that are compared, (D_i,) each."""
        wanted = self.features or ['feature']
        missing = [name for name in wanted if name not in named]
        if missing:
            raise ValueError(
                f'the metric compares {", ".join(missing)}, which the model does not make: expected some of '
                f'{", ".join(named)}.'
            )
        return [as_array(named[name]) for name in wanted]

    def joined(self, tables: list[FeatureTable]) -> FeatureTable:
        """Several features of the same images as one."""
        return tables[0] if len(tables) == 1 else replace(tables[0], feats=side_by_side(tables))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Evaluates what all processes collected, logs the table, writes the files that were asked for."""
        labels = FeatureTable(
            np.zeros((len(results), 1), np.float32),
            pids=[int(result['pid']) for result in results],
            camids=[int(result['camid']) for result in results],
            frames=[int(result['frame']) for result in results],
            modalities=[result['modality'] for result in results],
            paths=[result['img_path'] for result in results],
        )
        tables = one_a_feature(labels, results, 'features')
        if self.mirror:
            pairs = zip(tables, one_a_feature(labels, results, 'mirrored'), strict=True)
            tables = [replace(labels, feats=mean_with_mirrored(*pair, self.normalize)) for pair in pairs]
        features = self.joined(tables)
        if self.features_file:
            self.write_features(features, results)
        scored = score_settings(features, self.protocol, self.rerank, self.normalize, self.device, self.memory_mb)
        settings = {name: summarize_trials(setting) for name, setting in scored.items()}
        self.last = LastEvaluation(features, settings, scored)
        switches = {'features': self.features, 'mirror': self.mirror}
        described = self.protocol.describe() | {name: value for name, value in switches.items() if value}
        print_log(f'{described}\n{results_table(settings)}', logger='current')
        if self.json_file:
            about = dict(
                described,
                rerank=self.rerank,
                normalize=self.normalize,
                training_identities=self.training_identities,
                **self.tested,
            )
            write_results(self.json_file, settings, **about)
        return {f'{name}/{key}': row[key] for name, row in settings.items() for key in METRIC_NAMES}

    def write_features(self, features: FeatureTable, results: list[dict]) -> None:
        """Writes the features that are compared, and the others of the same images, row by row, beside them."""
        root, file = (self.dataset_meta or {}).get('data_root'), Path(self.features_file)
        save_features(self.features_file, features, root)
        others = {
            name: replace(features, feats=np.stack([result['branches'][name] for result in results]))  # (N, D_i)
            for name in results[0]['branches']
        }
        if 'mirrored' in results[0] and not self.mirror:  # else both have the same mean
            others['mirrored'] = self.joined(one_a_feature(features, results, 'mirrored'))
        for name, table in others.items():
            save_features(file.with_name(f'{file.stem}_{name}{file.suffix}'), table, root)


def one_a_feature(labels: FeatureTable, results: list[dict], key: str) -> list[FeatureTable]:
    """A table for each of the features that the results have under a key, (N, D_i) each."""
    columns = zip(*(result[key] for result in results), strict=True)
    return [replace(labels, feats=np.stack(column)) for column in columns]


def as_array(vector: Tensor) -> np.ndarray:
    return vector.detach().float().cpu().numpy()
