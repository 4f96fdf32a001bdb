"""Distances between the scores of each group and the scores of all examples, as rows of metrics.json."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from clipfair.metrics.distances import group_distances
from clipfair.metrics.measure import Measure, make_measure
from clipfair.metrics.scores import score_column


def measure_distances(
    scores: pd.DataFrame, *, sensitive: Sequence[str], distances: Mapping[str, Mapping]
) -> list[Measure]:
    """The ``distances`` of every group of every sensitive attribute (docs/fairclip-protocol.md, section 4).

    Parameters
    ----------
    scores
        Predictions as :func:`clipfair.metrics.scores.make_scores` returns them, also read from a file.
    distances
        Metric -> settings of a distance (:mod:`clipfair.metrics.distances`); each metric has its column of
        ``scores`` (:func:`clipfair.metrics.scores.score_column`).
    """
    groups = [(attribute, group) for attribute in sensitive for group in scores[attribute].cat.categories]
    members = [torch.tensor((scores[attribute] == group).to_numpy()) for attribute, group in groups]
    columns = {}
    for metric, settings in distances.items():
        population = torch.tensor(scores[score_column(metric)].to_numpy(dtype=np.float32))
        columns[metric] = group_distances(
            settings, population, [population[rows] for rows in members]
        ).tolist()
    return [
        _measure(metric, attribute, str(group), values[place], int(members[place].sum()))
        for place, (attribute, group) in enumerate(groups)
        for metric, values in columns.items()
    ]


def _measure(metric: str, attribute: str, group: str, value: float, n: int) -> Measure:
    reason = None
    if np.isnan(value):
        reason = "all scores are equal" if n else f"{attribute} {group}: no example"
    return make_measure(metric, value, n=n, label=attribute, group=group, reason=reason)
