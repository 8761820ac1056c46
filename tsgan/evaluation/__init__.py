"""Evaluation: arrays in, numbers out. Needs no MMEngine; the metric for its test loop is `tsgan.evaluation.metric`."""

from .evaluate import evaluate
from .features import FeatureTable, load_features, save_features
from .protocols import CrossModalityProtocol, Setting, SingleModalityProtocol, SYSUMM01Protocol, Trial
from .ranking import METRIC_NAMES, QueryScores, score_queries, summarize
from .report import results_table, write_results
from .rerank import FeatureDistances, KReciprocalReranker, MatrixDistances, k_reciprocal_rerank

__all__ = [
    'METRIC_NAMES',
    'CrossModalityProtocol',
    'FeatureDistances',
    'FeatureTable',
    'KReciprocalReranker',
    'MatrixDistances',
    'QueryScores',
    'SYSUMM01Protocol',
    'Setting',
    'SingleModalityProtocol',
    'Trial',
    'evaluate',
    'k_reciprocal_rerank',
    'load_features',
    'results_table',
    'save_features',
    'score_queries',
    'summarize',
    'write_results',
]
