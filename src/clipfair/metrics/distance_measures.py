"""Distances between groups as measures: of the score of an image with its own text, and of the margin.

A distance is what FairCLIP's loss is with all test examples as its batch and as the batches of the groups:
the sum over the groups of an attribute of W_p^p / p between the scores of the group and of all examples, of
scores that are not normalised. It is exact. ``own`` is of the score with the own text, ``margin`` of the
decision margin, both with the temperature. ``scale_free`` is of scores divided by their standard deviation;
``within_labels`` is the mean over both labels of the distance among the examples of a label.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from clipfair.metrics.distances.wasserstein import distance
from clipfair.metrics.measure import Measure, make_measure
from clipfair.metrics.threshold_free_measures import group_codes

_UNDEFINED = "one group alone, a group without examples of both labels, or equal scores"


def measure_group_distances(
    y_true: np.ndarray,
    margin: np.ndarray,
    own: np.ndarray | None,
    *,
    sensitive_features: Mapping[str, pd.Series],
) -> list[Measure]:
    """The distances of every attribute.

    Parameters
    ----------
    y_true, margin
        (n,) labels and decision margins.
    own
        (n,) scores with the own text; None for no distances of them.
    sensitive_features
        Attribute -> (n,) categorical. An example with a missing value is in no group, but among all.
    """
    measures = []
    for attribute, column in sensitive_features.items():
        codes = group_codes(column)
        values = {
            "margin_w1": sum_of_distances(margin, codes, p=1),
            "margin_w2": sum_of_distances(margin, codes, p=2),
            "margin_w1_within_labels": _within_labels(y_true, margin, codes, p=1),
            "margin_w2_within_labels": _within_labels(y_true, margin, codes, p=2),
        }
        if own is not None:
            values["own_w1"] = sum_of_distances(own, codes, p=1)
            values["own_w2"] = sum_of_distances(own, codes, p=2)
            values["own_w2_scale_free"] = values["own_w2"] / np.var(own) if np.ptp(own) else np.nan
        measures += [
            make_measure(
                name, value, n=len(codes), label=attribute, reason=_UNDEFINED if np.isnan(value) else None
            )
            for name, value in values.items()
        ]
    return measures


def sum_of_distances(scores: np.ndarray, codes: np.ndarray, *, p: int) -> float:
    """The sum over groups of W_p^p / p between the scores of the group and all scores.

    Parameters
    ----------
    scores
        (n,) of all examples.
    codes
        (n,) the number of each example's group, 0 to G - 1; -1 for an example of no group.
    p
        1 or 2.

    Returns
    -------
    NaN with fewer than two groups, or with a group without an example.
    """
    groups = [scores[codes == code] for code in range(codes.max(initial=-1) + 1)]
    if len(groups) < 2 or not all(map(len, groups)):
        return np.nan
    population, *parts = (torch.from_numpy(part.astype(np.float64)) for part in (scores, *groups))
    return float(distance(population, parts, p=p).sum())


def _within_labels(y_true: np.ndarray, scores: np.ndarray, codes: np.ndarray, *, p: int) -> float:
    count = codes.max(initial=-1) + 1
    values = []
    for label in (0, 1):
        rows = y_true == label
        is_complete = len(np.unique(codes[rows & (codes >= 0)])) == count
        values.append(sum_of_distances(scores[rows], codes[rows], p=p) if is_complete else np.nan)
    return float(np.mean(values))
