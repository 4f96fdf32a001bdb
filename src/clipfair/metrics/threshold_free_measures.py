"""The threshold-free group metrics of a prediction as measures, with their sampling floors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipfair.metrics.measure import Measure, make_measure
from clipfair.metrics.prediction import auc
from clipfair.metrics.roc_area import abroca
from clipfair.metrics.threshold_free import compare, corrected_intervals, sampling_floor

FLOOR = "_floor"
SEPARATOR = " x "  # between the names of combined attributes, and of their groups
PERMUTATIONS = 50
UNDEFINED = "one group alone, or a group without examples of both labels"


@dataclass(frozen=True)
class CalibratedPredictions:
    """Predictions of n examples, (n,) each: label, decision margin, recalibrated probability."""

    y: np.ndarray
    margin: np.ndarray
    q: np.ndarray

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The three arrays of the chosen rows."""
        return self.y[rows], self.margin[rows], self.q[rows]


def intersect(groups: pd.DataFrame, attributes: Sequence[str]) -> pd.Series:
    """The groups of several attributes together, such as ``black x female``; (n,) categorical.

    Missing where one of the attributes is. Combinations without an example are no groups.
    """
    known = groups[list(attributes)].notna().all(axis=1)
    first, *others = (groups.loc[known, name].astype(str) for name in attributes)
    names = first.str.cat(others, sep=SEPARATOR)
    return names.reindex(groups.index).astype("category")


def group_codes(groups: pd.Series) -> np.ndarray:
    """The number of each example's group, 0 to G - 1, -1 for a missing one; (n,).

    Categories without an example are no groups.
    """
    return groups.astype("category").cat.remove_unused_categories().cat.codes.to_numpy()


def measure_auc(metric: str, y_true: np.ndarray, margin: np.ndarray) -> Measure:
    """The AUC of all examples under the name ``metric``."""
    value = auc(y_true, margin)
    reason = "all labels are equal" if np.isnan(value) else None
    return make_measure(metric, value, n=len(y_true), reason=reason)


def measure_attributes(
    predictions: CalibratedPredictions,
    *,
    sensitive_features: Mapping[str, pd.Series],
    threshold: float,
    rng: np.random.Generator,
    replicates: int | None = None,
) -> list[Measure]:
    """The metrics of every attribute, each followed by its sampling floor, and the sizes of its groups.

    Parameters
    ----------
    sensitive_features
        Attribute -> (n,) categorical. Examples with a missing value are left out of the attribute.
    threshold
        Of the matched metrics.
    rng
        Permutes the groups, and draws the resamples.
    replicates
        Resamples of the BCa intervals; None for no intervals.
    """
    measures = [make_measure("matched_threshold", threshold, n=len(predictions.y))]
    for attribute, column in sensitive_features.items():
        codes = group_codes(column)
        rows = codes >= 0
        measures += _measure(attribute, predictions.of(rows), codes[rows], threshold, rng, replicates)
        sizes = column[rows].astype("category").cat.remove_unused_categories().value_counts(sort=False)
        measures += [
            make_measure("examples", size, n=size, label=attribute, group=str(name))
            for name, size in sizes.items()
        ]
    return measures


def _measure(
    attribute: str,
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray],
    codes: np.ndarray,
    threshold: float,
    rng: np.random.Generator,
    replicates: int | None,
) -> list[Measure]:
    y, margin, _ = arrays
    if len(np.unique(codes)) < 2:
        return [make_measure("mean_dpd", None, n=len(y), label=attribute, reason=UNDEFINED)]
    found = {**compare(*arrays, codes, threshold=threshold), "abroca": abroca(y, margin, codes)}
    floors = sampling_floor(*arrays, codes, threshold=threshold, rng=rng, permutations=PERMUTATIONS)
    intervals = {}
    if replicates is not None:
        intervals = corrected_intervals(*arrays, codes, threshold=threshold, rng=rng, replicates=replicates)
    measures = []
    for name, [value] in found.items():
        given = {"n": len(y), "label": attribute}
        measures.append(make_measure(name, value, interval=intervals.get(name), reason=_why(value), **given))
        measures.append(make_measure(name + FLOOR, floors[name], reason=_why(floors[name]), **given))
    return measures


def measure_selection(
    metric: str, margin: np.ndarray, *, sensitive_features: Mapping[str, pd.Series], threshold: float
) -> list[Measure]:
    """DPD at ``threshold`` of every attribute under the name ``metric``, such as that of validation.

    It needs margins alone. :func:`measure_attributes` needs recalibrated probabilities, too, and the examples
    of validation have none: the recalibration is fitted to them.
    """
    measures = []
    for attribute, column in sensitive_features.items():
        shares = pd.Series(margin >= threshold).groupby(group_codes(column)).mean()
        selected = shares.drop(-1, errors="ignore")
        value = selected.max() - selected.min() if len(selected) > 1 else np.nan
        n = int(column.notna().sum())
        reason = "one group alone" if np.isnan(value) else None
        measures.append(make_measure(metric, value, n=n, label=attribute, reason=reason))
    return measures


def _why(value: float) -> str | None:
    return UNDEFINED if np.isnan(value) else None
