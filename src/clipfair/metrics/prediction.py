"""Quality of a binary prediction: AUC and rates, for one sample or for many bootstrap resamples at once.

Labels are 0 or 1. A probability ``p`` in [0, 1] predicts 1 if it is at least :data:`THRESHOLD`
(docs/fairclip-protocol.md, section 4).
"""

from typing import NamedTuple

import numpy as np

THRESHOLD = 0.5


class PredictionRates(NamedTuple):
    """PredictionRates of a set of examples under each of b weightings; (b,) each, NaN where undefined."""

    auc: np.ndarray
    accuracy: np.ndarray
    selection_rate: np.ndarray
    true_positive_rate: np.ndarray
    false_positive_rate: np.ndarray


def predict(p: np.ndarray) -> np.ndarray:
    """The predicted label of each probability; (n,) 0 or 1."""
    return (p >= THRESHOLD).astype(np.int64)


def auc(y_true: np.ndarray, score: np.ndarray) -> float:
    """P(score of a positive > score of a negative), ties counted as 1/2.

    NaN if one of the two labels is absent, or if a score is not finite: sorting would treat all NaN as ties.

    Parameters
    ----------
    y_true : (n,) 0 or 1.
    score : (n,).
    """
    if not np.isfinite(score).all():
        return float("nan")
    return float(weighted_auc(y_true, score, np.ones((1, len(y_true))))[0])


def rates(
    y_true: np.ndarray,
    p: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    threshold: float = THRESHOLD,
) -> PredictionRates:
    """AUC and rates of a prediction.

    One matrix product counts under all rows of ``weights``; scikit-learn's functions take one weighting.
    Decisions that may be random have :func:`clipfair.metrics.decisions.decision_rates`.

    Parameters
    ----------
    y_true : (n,) 0 or 1.
    p : (n,) finite probabilities of 1.
    weights
        (b, n) how often each example counts, one row per resample; None for one row of ones.
    threshold
        A probability of at least ``threshold`` predicts 1.
    """
    if weights is None:
        weights = np.ones((1, len(p)))
    positive, selected = y_true == 1, p >= threshold
    indicators = [
        np.ones(len(p)),
        selected == positive,
        selected,
        positive,
        selected & positive,
        ~positive,
        selected & ~positive,
    ]
    sums = weights @ np.column_stack(indicators).astype(np.float64)
    total, correct, selections, positives, true_positives, negatives, false_positives = sums.T
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: undefined
        return PredictionRates(
            auc=weighted_auc(y_true, p, weights),
            accuracy=correct / total,
            selection_rate=selections / total,
            true_positive_rate=true_positives / positives,
            false_positive_rate=false_positives / negatives,
        )


def weighted_auc(y_true: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The AUC under each row of ``weights`` (b, n); (b,), NaN where one of the labels has no weight."""
    order = np.argsort(score, kind="stable")
    positive = y_true[order] == 1
    positives, negatives = order[positive], order[~positive]
    # For each positive: the weight of the negatives strictly below it, and of those not above it.
    cumulative = np.hstack([np.zeros((len(weights), 1)), np.cumsum(weights[:, negatives], axis=1)])
    below = cumulative[:, np.searchsorted(score[negatives], score[positives], side="left")]
    not_above = cumulative[:, np.searchsorted(score[negatives], score[positives], side="right")]
    of_positives = weights[:, positives]
    won = (of_positives * (below + not_above)).sum(axis=1) / 2
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: undefined
        return won / (of_positives.sum(axis=1) * cumulative[:, -1])
