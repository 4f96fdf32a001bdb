"""The threshold-free group metrics of a prediction as measures, with their sampling floors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipfair.metrics.measure import Measure, make_measure
from clipfair.metrics.threshold_free import abroca, compare, corrected_intervals, sampling_floor

FLOOR = "_floor"
PERMUTATIONS = 100
_UNDEFINED = "one group alone, or a group without examples of both labels"


@dataclass(frozen=True)
class CalibratedPredictions:
    """CalibratedPredictions of n examples, (n,) each: label, probability, recalibrated probability."""

    y: np.ndarray
    p: np.ndarray
    q: np.ndarray

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The three arrays of the chosen rows."""
        return self.y[rows], self.p[rows], self.q[rows]


def intersect(groups: pd.DataFrame, attributes: Sequence[str]) -> pd.Series:
    """The groups of several attributes together, such as ``black x female``; (n,) categorical.

    Missing where one of the attributes is. Combinations without an example are no groups.
    """
    known = groups[list(attributes)].notna().all(axis=1)
    names = groups.loc[known, list(attributes)].astype(str).agg(" x ".join, axis=1)
    return names.reindex(groups.index).astype("category")


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
        rows = column.notna().to_numpy()
        groups = column[rows].astype("category").cat.remove_unused_categories()
        codes = groups.cat.codes.to_numpy()
        measures += _measure(attribute, predictions.of(rows), codes, threshold, rng, replicates)
        sizes = groups.value_counts(sort=False)
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
    y, p, _ = arrays
    if len(np.unique(codes)) < 2:
        return [make_measure("mean_dpd", None, n=len(y), label=attribute, reason=_UNDEFINED)]
    values = {name: value[0] for name, value in compare(*arrays, codes, threshold=threshold).items()}
    values["abroca"] = abroca(y, p, codes)
    floors = sampling_floor(*arrays, codes, threshold=threshold, rng=rng, permutations=PERMUTATIONS)
    intervals = {}
    if replicates is not None:
        intervals = corrected_intervals(*arrays, codes, threshold=threshold, rng=rng, replicates=replicates)
    measures = []
    for name, value in values.items():
        given = {"n": len(y), "label": attribute}
        measures.append(make_measure(name, value, interval=intervals.get(name), reason=_why(value), **given))
        measures.append(make_measure(name + FLOOR, floors[name], reason=_why(floors[name]), **given))
    return measures


def _why(value: float) -> str | None:
    return _UNDEFINED if np.isnan(value) else None
