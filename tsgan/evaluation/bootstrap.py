"""The bootstrap over identities: how far a number hangs on which people it was measured with.

Images of one person are alike, so people are drawn anew, each with all their images, and not images. What is measured
with people drawn several times is measured with weights: a person counts as often as they were drawn.

Source: Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems - the subsets bootstrap", CVIU 2004.
"""

import numpy as np


def check_resampling(num_resamples: int, confidence: float, seed: int) -> None:
    """Raises ValueError for a number of resamples, or a confidence in percent, or a seed, that gives no interval."""
    if num_resamples < 1 or not 0 < confidence < 100:
        raise ValueError(f'Need num_resamples >= 1 and 0 < confidence < 100: got {num_resamples} and {confidence}.')
    if seed < 0:
        raise ValueError(f'Seeds start at 0, got {seed}.')


def draw_identities(draws: np.random.Generator, num_ids: int, num_resamples: int) -> np.ndarray:
    """How often each of I identities was drawn in each of R resamples of as many, (R, I) int."""
    return draws.multinomial(num_ids, np.full(num_ids, 1 / num_ids), num_resamples)


def interval(resampled: np.ndarray, confidence: float) -> np.ndarray:
    """Lower and upper end of the percentile interval, (2, ...), of what R resamples gave, (R, ...)."""
    tail = (100 - confidence) / 2
    return np.percentile(resampled, [tail, 100 - tail], axis=0)
