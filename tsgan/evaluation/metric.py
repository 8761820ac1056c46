"""The metric that MMEngine's test loop calls; all it does is collect features and have them evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from tsgan.registry import METRICS, TASK_UTILS

from .evaluate import ScoredSetting, score_settings, summarize_trials
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
    hold `other_features`, (D_i,) by name, which are written only.
    Logged are `{setting}/{R1|R5|R10|R20|mAP|mINP}` in percent, with re-ranking `{setting}_rerank/...` too: pick a
    checkpoint by `save_best='val_single/mAP'`.

    Args:
        protocol (dict): Config of a protocol in TASK_UTILS: `dict(type='SYSUMM01Protocol', perm_file=...)`.
        rerank (bool): Also measure with k-reciprocal re-ranking. Defaults to False.
        normalize (bool): Bring every feature to unit length first. Defaults to True.
        device (str, optional): Where re-ranking computes distances. Defaults to None: the GPU where torch sees one.
        memory_mb (int): Budget for blocks of distances in MiB. Defaults to 1024.
        json_file (str, optional): Where to write the results, with all that they must be published with.
        features_file (str, optional): Where to write the features as NPZ (see `save_features`); other features of the
            same images go beside it, `FEATURES_<name>.npz`.
        training_identities (str, optional): Which identities trained the model and how its checkpoint was chosen, in
            words, for the JSON: 'train+val (395), last checkpoint'.
        tested (dict, optional): What else the JSON says of the model: `tools/test.py` puts config, checkpoint and its
            epoch here.
        collect_device (str): See `BaseMetric`.
        prefix (str, optional): See `BaseMetric`.

    Attributes:
        last (LastEvaluation | None): What the last evaluation saw and found; on the main process only.
    """

    default_prefix = ''  # the setting is the prefix

    def __init__(
        self,
        protocol: dict,
        rerank: bool = False,
        normalize: bool = True,
        device: str | None = None,
        memory_mb: int = 1024,
        json_file: str | None = None,
        features_file: str | None = None,
        training_identities: str | None = None,
        tested: dict | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ):
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.protocol = TASK_UTILS.build(protocol)
        self.rerank, self.normalize, self.device, self.memory_mb = rerank, normalize, device, memory_mb
        self.training_identities, self.tested = training_identities, tested or {}
        self.json_file, self.features_file = json_file, features_file
        self.last: LastEvaluation | None = None

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keeps the feature and the labels of each sample."""
        for sample in data_samples:
            others = sample.get('other_features', {}) if self.features_file else {}
            self.results.append(
                dict(
                    feature=as_array(sample['feature']),  # (D,)
                    other_features={name: as_array(vector) for name, vector in others.items()},
                    **{key: sample[key] for key in ('pid', 'camid', 'modality', 'frame', 'img_path')},
                )
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Evaluates what all processes collected, logs the table, writes the files that were asked for."""
        features = FeatureTable(
            np.stack([result['feature'] for result in results]),  # (N, D)
            pids=[int(result['pid']) for result in results],
            camids=[int(result['camid']) for result in results],
            frames=[int(result['frame']) for result in results],
            modalities=[result['modality'] for result in results],
            paths=[result['img_path'] for result in results],
        )
        if self.features_file:
            self.write_features(features, results)
        scored = score_settings(features, self.protocol, self.rerank, self.normalize, self.device, self.memory_mb)
        settings = {name: summarize_trials(setting) for name, setting in scored.items()}
        self.last = LastEvaluation(features, settings, scored)
        print_log(f'{self.protocol.describe()}\n{results_table(settings)}', logger='current')
        if self.json_file:
            about = dict(
                self.protocol.describe(),
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
        for name in results[0]['other_features']:
            feats = np.stack([result['other_features'][name] for result in results])  # (N, D_i)
            save_features(file.with_name(f'{file.stem}_{name}{file.suffix}'), replace(features, feats=feats), root)


def as_array(vector: Tensor) -> np.ndarray:
    return vector.detach().float().cpu().numpy()
