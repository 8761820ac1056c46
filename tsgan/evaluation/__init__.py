"""Evaluation: arrays in, numbers out. Needs no MMEngine; the metric for its test loop is `tsgan.evaluation.metric`."""

from .compare import compare, comparison_table
from .evaluate import ScoredSetting, evaluate, score_settings
from .features import (
    FeatureTable,
    holds_image_features,
    load_features,
    load_image_features,
    save_features,
    save_image_features,
)
from .protocols import (
    CrossModalityProtocol,
    LLCMProtocol,
    RegDBProtocol,
    Setting,
    SingleModalityProtocol,
    SYSUMM01Protocol,
    Trial,
    described_protocol,
)
from .ranking import METRIC_NAMES, QueryScores, score_queries, score_trials, summarize
from .report import results_table, write_results
from .rerank import FeatureDistances, KReciprocalReranker, MatrixDistances, k_reciprocal_rerank

__all__ = [
    'METRIC_NAMES',
    'CrossModalityProtocol',
    'FeatureDistances',
    'FeatureTable',
    'KReciprocalReranker',
    'LLCMProtocol',
    'MatrixDistances',
    'QueryScores',
    'RegDBProtocol',
    'SYSUMM01Protocol',
    'ScoredSetting',
    'Setting',
    'SingleModalityProtocol',
    'Trial',
    'compare',
    'comparison_table',
    'described_protocol',
    'evaluate',
    'holds_image_features',
    'k_reciprocal_rerank',
    'load_features',
    'load_image_features',
    'results_table',
    'save_features',
    'save_image_features',
    'score_queries',
    'score_settings',
    'score_trials',
    'summarize',
    'write_results',
]
