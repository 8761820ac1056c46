"""Training without identities: clusters in place of them, matched across modalities."""

from .clusters import centres, cluster, jaccard_graph
from .matching import Matching, aggregated, match_by_hungarian, match_by_votes
from .pseudo_label_hook import PseudoLabelHook
from .truth import adjusted_rand_index, matching_precision, purity

__all__ = [
    'Matching',
    'PseudoLabelHook',
    'adjusted_rand_index',
    'aggregated',
    'centres',
    'cluster',
    'jaccard_graph',
    'match_by_hungarian',
    'match_by_votes',
    'matching_precision',
    'purity',
]
