"""How well and how fairly a binary label is predicted (section 4 of the FairCLIP protocol).

Labels are 0 or 1, a score ``p`` in [0, 1] predicts 1 from :data:`THRESHOLD` on. With AUC_g and ACC_g of the
group g of an attribute, and sums and maxima over its groups:

    ES-AUC = AUC / (1 + sum_g |AUC_g - AUC|)          ES-ACC = ACC / (1 + sum_g |ACC_g - ACC|)
    DPD    = max - min of the selection rate P(prediction = 1 | g)
    DEOdds = the larger of max - min of the true and of the false positive rate
    disparity: std_g(AUC_g) / AUC (ddof 0), and (max_g AUC_g - min_g AUC_g) / AUC

DPD and DEOdds are fairlearn's. A model that predicts one label for all has DPD = DEOdds = 0: read them beside
accuracy and selection rate. What is undefined is NaN with a reason: fairlearn counts a rate without a
single case as 0, and leaves a group without examples out; here neither is passed over.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

THRESHOLD = 0.5
REPLICATES = 500
LEVELS = (2.5, 97.5)


class Measure(NamedTuple):
    """One value of an evaluation.

    ``value`` is None where it is undefined, which ``reason`` explains. ``label`` is the attribute and
    ``group`` its group, None for all; ``n`` the examples that it is computed from; ``low`` and ``high`` the
    95% bootstrap interval, None without one.
    """

    metric: str
    label: str | None
    group: str | None
    value: float | None
    n: int
    low: float | None
    high: float | None
    reason: str | None


class Figures(NamedTuple):
    """What examples give in each of b resamples, each (b,); NaN where undefined."""

    auc: np.ndarray
    accuracy: np.ndarray
    selection_rate: np.ndarray
    true_positive_rate: np.ndarray
    false_positive_rate: np.ndarray


# --- one value each ---------------------------------------------------------------------------


def auc(y_true: np.ndarray, y_score: np.ndarray) -> float:
    """P(score of a positive > score of a negative), ties as halves.

    NaN if there are not both, or a score is not finite: sorted, scores that are NaN would all be ties.

    Parameters
    ----------
    y_true : (n,) 0 or 1.
    y_score : (n,).
    """
    if not np.isfinite(y_score).all():
        return float("nan")
    return float(_auc(y_true, y_score, np.ones((1, len(y_true))))[0])


def predict(p: np.ndarray) -> np.ndarray:
    """The predicted label of each probability; (n,) 0 or 1."""
    return (p >= THRESHOLD).astype(np.int64)


def es_auc(y_true: np.ndarray, y_score: np.ndarray, *, sensitive_features: np.ndarray) -> float:
    """AUC / (1 + sum_g |AUC_g - AUC|); NaN if one of them is undefined."""
    return _equity_scaled(auc(y_true, y_score), _by_group(auc, y_true, y_score, sensitive_features))


def es_accuracy(y_true: np.ndarray, y_pred: np.ndarray, *, sensitive_features: np.ndarray) -> float:
    """ACC / (1 + sum_g |ACC_g - ACC|)."""
    groups = _by_group(accuracy, y_true, y_pred, sensitive_features)
    return _equity_scaled(accuracy(y_true, y_pred), groups)


def accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """The share of right predictions; NaN if there is no example."""
    return float(np.mean(y_true == y_pred)) if len(y_true) else float("nan")


def disparity(
    y_true: np.ndarray, y_score: np.ndarray, *, sensitive_features: np.ndarray
) -> tuple[float, float]:
    """std_g(AUC_g) / AUC with ddof 0, and (max_g AUC_g - min_g AUC_g) / AUC; NaN where undefined."""
    groups = np.array(_by_group(auc, y_true, y_score, sensitive_features))
    overall = auc(y_true, y_score) or float("nan")
    return float(groups.std() / overall), float(np.ptp(groups) / overall)


def demographic_parity_difference(
    y_true: np.ndarray, y_pred: np.ndarray, *, sensitive_features: np.ndarray
) -> float:
    """max_g - min_g of the selection rate, by fairlearn."""
    from fairlearn import metrics  # late: its import takes over a second

    return float(metrics.demographic_parity_difference(y_true, y_pred, sensitive_features=sensitive_features))


def equalized_odds_difference(
    y_true: np.ndarray, y_pred: np.ndarray, *, sensitive_features: np.ndarray
) -> float:
    """The larger of max_g - min_g of the true and of the false positive rate, by fairlearn.

    fairlearn takes the rate of a group without positives (negatives) as 0; :func:`measure` does not ask.
    """
    from fairlearn import metrics

    return float(metrics.equalized_odds_difference(y_true, y_pred, sensitive_features=sensitive_features))


def _by_group(metric, y_true: np.ndarray, y: np.ndarray, sensitive_features: np.ndarray) -> list[float]:
    names = np.unique(sensitive_features)
    return [metric(y_true[sensitive_features == name], y[sensitive_features == name]) for name in names]


def _equity_scaled(overall, groups: Iterable):
    return overall / (1 + sum(abs(group - overall) for group in groups))


# --- all of them, with their intervals --------------------------------------------------------


def resample(n: int, rng: np.random.Generator, *, replicates: int = REPLICATES) -> np.ndarray:
    """How often each of ``n`` examples is drawn in each bootstrap sample; (replicates, n) float64."""
    drawn = rng.integers(0, n, size=(replicates, n)) + n * np.arange(replicates)[:, None]
    return np.bincount(drawn.ravel(), minlength=replicates * n).reshape(replicates, n).astype(np.float64)


def measure(
    y_true: np.ndarray,
    p: np.ndarray,
    *,
    sensitive_features: Mapping[str, pd.Series],
    counts: np.ndarray | None = None,
) -> list[Measure]:
    """Every metric of every attribute and group.

    Parameters
    ----------
    y_true : (n,) 0 or 1, n >= 1.
    p : (n,) the probability of 1.
    sensitive_features
        Attribute -> (n,) categorical; a missing value is a person of unknown group, who is left out of the
        attribute's metrics. Categories without an example count: what they enter is undefined.
    counts
        Of :func:`resample`, for 95% intervals (percentiles; a resample in which a value is undefined is
        left out).

    Returns
    -------
    ``auc``, ``accuracy``, ``selection_rate`` of all; by attribute ``es_auc``, ``es_accuracy``, ``dpd``,
    ``deodds``, ``disparity_std``, ``disparity_range``; by group ``auc``, ``accuracy``, ``selection_rate``.

    Raises
    ------
    ValueError
        If a label is neither 0 nor 1, or a probability is not finite.
    """
    y_true, p = np.asarray(y_true), np.asarray(p, dtype=np.float64)
    if not np.isin(y_true, (0, 1)).all() or not np.isfinite(p).all():
        raise ValueError("labels must be 0 or 1, and probabilities finite")
    whole = np.ones((1, len(p)))
    weights = whole if counts is None else np.vstack([whole, counts])
    measures = _of_examples(_figures(y_true, p, weights), y_true, label=None, group=None)
    for attribute, column in sensitive_features.items():
        measures += _of_attribute(attribute, column.reset_index(drop=True), y_true, p, weights)
    return measures


def _of_attribute(
    attribute: str, column: pd.Series, y_true: np.ndarray, p: np.ndarray, weights: np.ndarray
) -> list[Measure]:
    known = column.notna().to_numpy()
    y_true, p, weights = y_true[known], p[known], weights[:, known]
    column = column[known].astype("category")
    members = {str(name): (column == name).to_numpy() for name in column.cat.categories}
    overall = _figures(y_true, p, weights)
    groups = {name: _figures(y_true[of], p[of], weights[:, of]) for name, of in members.items()}
    compared = _compare(overall, list(groups.values()))
    if len(members) > 1 and not np.isnan(compared["dpd"][0]):
        compared["dpd"][0] = demographic_parity_difference(y_true, predict(p), sensitive_features=column)
    if len(members) > 1 and not np.isnan(compared["deodds"][0]):
        compared["deodds"][0] = equalized_odds_difference(y_true, predict(p), sensitive_features=column)
    labels = {name: y_true[of] for name, of in members.items()}
    measures = [
        _one(
            metric,
            values,
            len(p),
            label=attribute,
            group=None,
            reason=_why(metric, attribute, y_true, labels),
        )
        for metric, values in compared.items()
    ]
    for name, figures in groups.items():
        measures += _of_examples(figures, labels[name], label=attribute, group=name)
    return measures


def _figures(y_true: np.ndarray, p: np.ndarray, weights: np.ndarray) -> Figures:
    positive, chosen = y_true == 1, p >= THRESHOLD
    sums = weights @ np.column_stack(
        [
            np.ones(len(p)),
            chosen == positive,
            chosen,
            positive,
            chosen & positive,
            ~positive,
            chosen & ~positive,
        ]
    ).astype(np.float64)
    total, right, selected, positives, true_positives, negatives, false_positives = sums.T
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, as it should be
        return Figures(
            auc=_auc(y_true, p, weights),
            accuracy=right / total,
            selection_rate=selected / total,
            true_positive_rate=true_positives / positives,
            false_positive_rate=false_positives / negatives,
        )


def _auc(y_true: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The AUC under each row of ``weights``; (b,)."""
    order = np.argsort(score, kind="stable")
    score, positive, weights = score[order], y_true[order] == 1, weights[:, order]
    # Of each positive, the negatives strictly below it and those not above it.
    negatives = np.hstack([np.zeros((len(weights), 1)), np.cumsum(weights * ~positive, axis=1)])
    below = negatives[:, np.searchsorted(score, score[positive], side="left")]
    upto = negatives[:, np.searchsorted(score, score[positive], side="right")]
    won = (weights[:, positive] * (below + upto)).sum(axis=1) / 2
    with np.errstate(invalid="ignore"):
        return won / (weights[:, positive].sum(axis=1) * negatives[:, -1])


def _compare(overall: Figures, groups: list[Figures]) -> dict[str, np.ndarray]:
    """The metrics of an attribute in each resample."""
    if len(groups) < 2:
        nothing = np.full(len(overall.auc), np.nan)
        return {name: nothing.copy() for name in COMPARED}
    of_groups = Figures(*(np.stack(values) for values in zip(*groups, strict=True)))
    base = np.where(overall.auc == 0, np.nan, overall.auc)
    return {
        "es_auc": _equity_scaled(overall.auc, of_groups.auc),
        "es_accuracy": _equity_scaled(overall.accuracy, of_groups.accuracy),
        "dpd": np.ptp(of_groups.selection_rate, axis=0),
        "deodds": np.maximum(
            np.ptp(of_groups.true_positive_rate, axis=0), np.ptp(of_groups.false_positive_rate, axis=0)
        ),
        "disparity_std": of_groups.auc.std(axis=0) / base,
        "disparity_range": np.ptp(of_groups.auc, axis=0) / base,
    }


COMPARED = ("es_auc", "es_accuracy", "dpd", "deodds", "disparity_std", "disparity_range")
_NEED_BOTH_LABELS = ("es_auc", "deodds", "disparity_std", "disparity_range")


def _of_examples(
    figures: Figures, y_true: np.ndarray, *, label: str | None, group: str | None
) -> list[Measure]:
    name = "the examples" if group is None else f"{label} {group}"
    return [
        _one(metric, getattr(figures, metric), len(y_true), label=label, group=group, reason=reason)
        for metric, reason in (
            ("auc", _lacking(name, y_true)),
            ("accuracy", _empty(name, y_true)),
            ("selection_rate", _empty(name, y_true)),
        )
    ]


def _one(
    metric: str, values: np.ndarray, n: int, *, label: str | None, group: str | None, reason: str | None
) -> Measure:
    """A metric from its value and those of the resamples, which follow it."""
    value, again = float(values[0]), values[1:][~np.isnan(values[1:])]
    if np.isnan(value):
        return Measure(
            metric, label, group, None, n, None, None, reason or "the AUC is 0, which it is divided by"
        )
    low, high = map(float, np.percentile(again, LEVELS)) if len(again) else (None, None)
    return Measure(metric, label, group, value, n, low, high, None)


def _why(metric: str, attribute: str, y_true: np.ndarray, labels: Mapping[str, np.ndarray]) -> str | None:
    """Why an attribute's metric is undefined, if its labels are the reason."""
    if len(labels) < 2:
        return f"{attribute} has one group: nothing to compare"
    found = [_empty(f"{attribute} {name}", part) for name, part in labels.items()]
    if metric in _NEED_BOTH_LABELS:
        found += [_lacking("the examples", y_true)]
        found += [_lacking(f"{attribute} {name}", part) for name, part in labels.items()]
    return next(filter(None, found), None)


def _empty(name: str, y_true: np.ndarray) -> str | None:
    return None if len(y_true) else f"{name}: no example"


def _lacking(name: str, y_true: np.ndarray) -> str | None:
    if len(y_true) and y_true.min() == y_true.max():
        return f"{name}: all labels are {int(y_true[0])}"
    return _empty(name, y_true)
