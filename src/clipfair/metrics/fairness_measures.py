"""Every fairness metric of a prediction, with intervals (docs/fairclip-protocol.md, section 4)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.metrics.bootstrap import draw_counts, interval
from clipfair.metrics.fairness import compare_groups
from clipfair.metrics.measure import Measure, make_measure
from clipfair.metrics.prediction import PredictionRates, rates

# Fewer than for means: each resample sorts out the AUC of every group again.
REPLICATES = 500

_NEED_BOTH_LABELS = ("es_auc", "deodds", "disparity_std", "disparity_range")


def measure_fairness(
    y_true: np.ndarray,
    p: np.ndarray,
    *,
    sensitive_features: Mapping[str, pd.Series],
    rng: np.random.Generator | None = None,
    replicates: int = REPLICATES,
) -> list[Measure]:
    """Every metric of every attribute and group.

    Parameters
    ----------
    y_true : (n,) 0 or 1, n >= 1.
    p : (n,) the probability of 1.
    sensitive_features
        Attribute -> (n,) categorical. Examples with a missing value are left out of the attribute's metrics.
        A category without examples makes the metrics that it enters undefined.
    rng
        Draws the resamples of the 95% intervals; None for no intervals. A resample in which a value is
        undefined is left out of the value's interval.

    Returns
    -------
    ``auc``, ``accuracy``, ``selection_rate`` of all examples; for each attribute
    :data:`clipfair.metrics.fairness.COMPARISONS`; for each group ``auc``, ``accuracy``, ``selection_rate``.

    Raises
    ------
    ValueError
        If a label is neither 0 nor 1, or a probability is not finite.
    """
    y_true, p = np.asarray(y_true), np.asarray(p, dtype=np.float64)
    if not np.isin(y_true, (0, 1)).all() or not np.isfinite(p).all():
        raise ValueError("labels must be 0 or 1, and probabilities finite")
    # The first row is the sample itself, the others are its resamples.
    weights = np.ones((1, len(p)))
    if rng is not None:
        weights = np.vstack([weights, *draw_counts(len(p), rng, replicates=replicates)])
    measures = _measure_examples(rates(y_true, p, weights), y_true, label=None, group=None)
    for attribute, column in sensitive_features.items():
        measures += _measure_attribute(attribute, column.reset_index(drop=True), y_true, p, weights)
    return measures


def _measure_attribute(
    attribute: str, column: pd.Series, y_true: np.ndarray, p: np.ndarray, weights: np.ndarray
) -> list[Measure]:
    known = column.notna().to_numpy()
    y_true, p, weights = y_true[known], p[known], weights[:, known]
    column = column[known].astype("category")
    members = {str(name): (column == name).to_numpy() for name in column.cat.categories}
    labels = {name: y_true[rows] for name, rows in members.items()}
    groups = {name: rates(y_true[rows], p[rows], weights[:, rows]) for name, rows in members.items()}
    compared = compare_groups(rates(y_true, p, weights), list(groups.values()))
    measures = [
        _measure(
            metric,
            values,
            len(p),
            label=attribute,
            group=None,
            reason=_reason_for_attribute(metric, attribute, y_true, labels),
        )
        for metric, values in compared.items()
    ]
    for name, of_group in groups.items():
        measures += _measure_examples(of_group, labels[name], label=attribute, group=name)
    return measures


def _measure_examples(
    found: PredictionRates, y_true: np.ndarray, *, label: str | None, group: str | None
) -> list[Measure]:
    name = "the examples" if group is None else f"{label} {group}"
    reasons = {
        "auc": _reason_for_one_label(name, y_true),
        "accuracy": _reason_for_no_example(name, y_true),
        "selection_rate": _reason_for_no_example(name, y_true),
    }
    return [
        _measure(metric, getattr(found, metric), len(y_true), label=label, group=group, reason=reason)
        for metric, reason in reasons.items()
    ]


def _measure(
    metric: str, values: np.ndarray, n: int, *, label: str | None, group: str | None, reason: str | None
) -> Measure:
    """A measure from its value, followed by its values in the resamples."""
    if not np.isnan(values[0]):
        return make_measure(metric, values[0], n=n, label=label, group=group, interval=interval(values[1:]))
    reason = reason or "the AUC is 0, which it is divided by"
    return make_measure(metric, None, n=n, label=label, group=group, reason=reason)


def _reason_for_attribute(
    metric: str, attribute: str, y_true: np.ndarray, labels: Mapping[str, np.ndarray]
) -> str | None:
    """Why an attribute's metric is undefined, if the labels of its groups are the reason."""
    if len(labels) < 2:
        return f"{attribute} has one group: nothing to compare"
    reasons = [_reason_for_no_example(f"{attribute} {name}", part) for name, part in labels.items()]
    if metric in _NEED_BOTH_LABELS:
        reasons += [_reason_for_one_label("the examples", y_true)]
        reasons += [_reason_for_one_label(f"{attribute} {name}", part) for name, part in labels.items()]
    return next(filter(None, reasons), None)


def _reason_for_no_example(name: str, y_true: np.ndarray) -> str | None:
    return None if len(y_true) else f"{name}: no example"


def _reason_for_one_label(name: str, y_true: np.ndarray) -> str | None:
    if len(y_true) and y_true.min() == y_true.max():
        return f"{name}: all labels are {int(y_true[0])}"
    return _reason_for_no_example(name, y_true)
