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
from .open_set import OPEN_SET_NAMES, Searches, evaluate_open_set, fpir_tpir, open_set_table, search
from .protocols import (
    CrossModalityProtocol,
    LLCMProtocol,
    OpenSetProtocol,
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
from .verification import ScoreCurve, verification

__all__ = [
    'METRIC_NAMES',
    'OPEN_SET_NAMES',
    'CrossModalityProtocol',
    'FeatureDistances',
    'FeatureTable',
    'KReciprocalReranker',
    'LLCMProtocol',
    'MatrixDistances',
    'OpenSetProtocol',
    'QueryScores',
    'RegDBProtocol',
    'SYSUMM01Protocol',
    'ScoreCurve',
    'ScoredSetting',
    'Searches',
    'Setting',
    'SingleModalityProtocol',
    'Trial',
    'compare',
    'comparison_table',
    'described_protocol',
    'evaluate',
    'evaluate_open_set',
    'fpir_tpir',
    'holds_image_features',
    'k_reciprocal_rerank',
    'load_features',
    'load_image_features',
    'open_set_table',
    'results_table',
    'save_features',
    'save_image_features',
    'score_queries',
    'score_settings',
    'score_trials',
    'search',
    'summarize',
    'verification',
    'write_results',
]
