"""Open-set search: is this person in the gallery at all, and if so, who?

As NIST's 1:N evaluations define it, at rank one: FPIR(t) is the share of the searches for people who are not enrolled in
which any candidate scores t or more; TPIR(t) is the share of the searches for enrolled people whose best candidate is the
right person and scores t or more (FNIR = 1 - TPIR).

Source: Grother, Ngan and Hanaoka, "Face Recognition Vendor Test, Part 2: Identification", NISTIR 8271, 2019.
"""

import numpy as np

from .verification import ScoreCurve

FPIRS = (0.01, 0.1)


def fpir_tpir(best: np.ndarray, hit: np.ndarray, enrolled: np.ndarray) -> ScoreCurve:
    """FPIR, the curve's false rate, and TPIR, its true rate, by threshold.

    Args:
        best (np.ndarray): Score of the best candidate of each search, (S,).
        hit (np.ndarray): Whether that candidate is the person who is searched for, (S,) bool.
        enrolled (np.ndarray): Whether that person is in the gallery, (S,) bool.

    Raises:
        ValueError: No search for an enrolled person, none for an unenrolled one, or scores that are not finite.
    """
    best, hit, enrolled = np.asarray(best), np.asarray(hit, bool), np.asarray(enrolled, bool)
    for who, there in (('an enrolled', enrolled), ('an unenrolled', ~enrolled)):
        if not there.any():
            raise ValueError(f'There is no search for {who} person: neither TPIR nor FPIR can be measured.')
    return ScoreCurve(best[enrolled & hit], best[~enrolled], int(enrolled.sum()))
