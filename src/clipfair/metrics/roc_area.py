"""The area between the ROC curves of groups (ABROCA; Gardner et al., 2019), exact, also with ties.

The curve of a group with k examples of label 0 is linear between two of the k + 1 false positive rates
0, 1 / k, ..., 1: a tie between both labels is a diagonal over one or more of these cells.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np


class _Curve(NamedTuple):
    """A ROC curve by cells: the true positive rate at the start and at the end of each, (b, k)."""

    start: np.ndarray
    end: np.ndarray


def abroca(y_true: np.ndarray, score: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The largest area between the ROC curves of two groups, for one assignment of groups or for many.

    Parameters
    ----------
    y_true, score : (n,).
    codes : (n,) or (b, n), the number of each example's group. All rows must have the same numbers of
        examples of each group and label.

    Returns
    -------
    (b,); NaN if a group lacks one of the labels.
    """
    codes = np.atleast_2d(codes)
    groups = [codes == code for code in range(codes.max() + 1)]
    if any(not own[0, y_true == label].any() for own in groups for label in (0, 1)):
        return np.full(len(codes), np.nan)
    curves = [_curve(y_true, score, own) for own in groups]
    return np.max([_area_between(one, other) for one, other in combinations(curves, 2)], axis=0)


def _curve(y_true: np.ndarray, score: np.ndarray, own: np.ndarray) -> _Curve:
    """The ROC curve of the examples that ``own`` (b, n) marks."""
    order = np.argsort(-score, kind="stable")
    positives, negatives = order[y_true[order] == 1], order[y_true[order] != 1]
    k = int(own[0, negatives].sum())
    marked = own[:, negatives].nonzero()[1].reshape(len(own), k)  # the group's negatives, from the highest

    def count(rows: np.ndarray, side: str) -> np.ndarray:
        """Count the group's examples in ``rows`` that are above each of its negatives, or not below it."""
        counts = np.hstack([np.zeros((len(own), 1), int), own[:, rows].cumsum(axis=1)])
        return np.take_along_axis(counts, np.searchsorted(-score[rows], -score[negatives], side)[marked], 1)

    above, not_below = count(positives, "left"), count(positives, "right")
    first, after = count(negatives, "left"), count(negatives, "right")
    total = own[0, positives].sum()
    rise = (not_below - above) / (after - first) / total
    start = above / total + rise * (np.arange(k) - first)
    return _Curve(start, start + rise)


def _area_between(one: _Curve, other: _Curve) -> np.ndarray:
    """The area between two curves; (b,)."""
    k, m = one.start.shape[1], other.start.shape[1]
    # In units of 1 / (k m) every cell of either curve begins and ends at a whole number.
    ends = np.union1d(np.arange(1, k + 1) * m, np.arange(1, m + 1) * k)
    starts = np.concatenate([[0], ends[:-1]])
    gaps = [
        _values(one, place, starts // m, m) - _values(other, place, starts // k, k)
        for place in (starts, ends)
    ]
    sizes = np.abs(gaps[0]) + np.abs(gaps[1])
    crossed = (gaps[0] ** 2 + gaps[1] ** 2) / np.where(sizes == 0, 1, 2 * sizes)
    areas = np.where(gaps[0] * gaps[1] >= 0, sizes / 2, crossed)
    return areas @ ((ends - starts) / (k * m))


def _values(curve: _Curve, places: np.ndarray, cells: np.ndarray, width: int) -> np.ndarray:
    """The curve at ``places`` (p,) within ``cells`` (p,) of ``width`` units each; (b, p)."""
    share = (places - cells * width) / width
    start = curve.start[:, cells]
    return start + share * (curve.end[:, cells] - start)
