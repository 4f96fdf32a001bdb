"""Group fairness that does not depend on a fixed threshold, next to the papers' metrics at one half.

The decision margin m of an example is any number that predicts label 1 where it is large; a probability of
one half is m = 0. With S_g(t) = P(m >= t) of group g of an attribute, and ranges max - min over the groups:

    mean_dpd        = the mean of the range of S_g(t) over t, the margins of all examples
    matched_dpd     = DPD at the threshold that selects, on validation, the share of positive labels there
    matched_deodds  = DEOdds at that threshold
    dpd, deodds     = both at a probability of one half, as the papers have them
    auc_gap         = the range of the AUC; worst_auc is the smallest
    calibration_gap = the range of mean(q) - mean(label), q the probability after a logistic recalibration
    abroca          = the largest area between the ROC curves of two groups (Gardner et al., 2019)

DPD and DEOdds are those of :mod:`clipfair.metrics.fairness`. Values are in [0, 1], and NaN where a rate is
undefined. mean_dpd, auc_gap and abroca do not change if the margins are transformed by an increasing
function.
"""

import warnings
from collections.abc import Sequence

import numpy as np

from clipfair.metrics.fairness import demographic_parity_difference, equalized_odds_difference
from clipfair.metrics.prediction import weighted_auc
from clipfair.metrics.roc_area import abroca

HALF = 0.0  # the margin of a probability of one half


def matched_threshold(y_true: np.ndarray, margin: np.ndarray) -> float:
    """The threshold that selects as many examples as have label 1; more if margins are tied.

    ``y_true`` and ``margin`` are (n,), of validation. Infinite without label 1.
    """
    positive = int(np.sum(y_true == 1))
    return float(np.sort(margin)[-positive]) if positive else np.inf


def recalibrate(y_true: np.ndarray, margin: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The probabilities of ``others`` after a logistic regression of validation labels on the margin.

    CLIP's probabilities without the temperature are all close to one half, so their calibration without this
    step says nothing about the groups.

    Parameters
    ----------
    y_true, margin : (n,), of validation, with both labels.
    others : (m,) margins.

    Returns
    -------
    (m,)
    """
    from sklearn.linear_model import LogisticRegression  # late: its import takes a second

    centre, scale = margin.mean(), margin.std() or 1.0
    regression = LogisticRegression(C=np.inf, max_iter=1000)
    regression.fit((margin - centre)[:, None] / scale, y_true)
    return regression.predict_proba((others - centre)[:, None] / scale)[:, 1]


def compare(
    y_true: np.ndarray,
    margin: np.ndarray,
    q: np.ndarray,
    codes: np.ndarray,
    *,
    threshold: float,
    weights: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """All metrics but ABROCA, for one sample or for many resamples at once.

    Parameters
    ----------
    y_true, margin, q : (n,) labels, margins, recalibrated probabilities.
    codes : the number of each example's group, 0 to G - 1, G >= 2; (n,), or (b, n) for b assignments.
    threshold : of the matched metrics.
    weights : (b, n) how often each example counts; None for one row of ones.

    Returns
    -------
    Metric -> (b,).
    """
    return {
        **compare_examples(y_true, margin, q, codes, threshold=threshold, weights=weights),
        **compare_within_labels(y_true, margin, codes, threshold=threshold, weights=weights),
    }


def compare_examples(
    y_true: np.ndarray,
    margin: np.ndarray,
    q: np.ndarray,
    codes: np.ndarray,
    *,
    threshold: float,
    weights: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The metrics that compare all examples of the groups; parameters and result of :func:`compare`."""
    groups = _group_weights(codes, weights)
    averaged = np.column_stack([margin >= threshold, margin >= HALF, q - y_true])
    means = np.stack([_weighted_means(averaged, own) for own in groups])
    return {
        "mean_dpd": _mean_dpd(margin, groups),
        "matched_dpd": demographic_parity_difference(means[..., 0]),
        "dpd": demographic_parity_difference(means[..., 1]),
        "calibration_gap": np.ptp(means[..., 2], axis=0),
    }


def compare_within_labels(
    y_true: np.ndarray,
    margin: np.ndarray,
    codes: np.ndarray,
    *,
    threshold: float,
    weights: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The metrics that compare the groups within a label; parameters and result of :func:`compare`."""
    groups = _group_weights(codes, weights)
    selected = np.column_stack([margin >= threshold, margin >= HALF])
    positive = y_true == 1
    true_positive_rates, false_positive_rates = (
        np.stack([_weighted_means(selected[rows], own[:, rows]) for own in groups])
        for rows in (positive, ~positive)
    )
    odds = equalized_odds_difference(true_positive_rates, false_positive_rates)
    aucs = np.stack([weighted_auc(y_true, margin, own) for own in groups])
    return {
        "matched_deodds": odds[:, 0],
        "deodds": odds[:, 1],
        "auc_gap": np.ptp(aucs, axis=0),
        "worst_auc": aucs.min(axis=0),
    }


def _group_weights(codes: np.ndarray, weights: np.ndarray | None) -> list[np.ndarray]:
    """The weights of the examples in each group, 0 for those of other groups; (b, n) each."""
    return [
        np.atleast_2d((codes == code) * (1.0 if weights is None else weights))
        for code in range(codes.max() + 1)
    ]


def _weighted_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The means of the columns of (n, k) values under each row of (b, n) weights; (b, k)."""
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: undefined
        return weights @ values.astype(np.float64) / weights.sum(axis=1, keepdims=True)


def _mean_dpd(margin: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    order = np.argsort(margin, kind="stable")
    first = np.searchsorted(margin[order], margin[order], side="left")  # of the examples with the same margin
    low, high, total = np.inf, -np.inf, 0.0
    for weights in groups:
        own = weights[:, order]
        below = np.hstack([np.zeros((len(own), 1)), np.cumsum(own, axis=1)])
        with np.errstate(invalid="ignore"):
            selected = 1 - below[:, first] / below[:, -1:]
        low, high, total = np.minimum(low, selected), np.maximum(high, selected), total + own
    return ((high - low) * total).sum(axis=1) / total.sum(axis=1)


def sampling_floor(
    y_true: np.ndarray,
    margin: np.ndarray,
    q: np.ndarray,
    codes: np.ndarray,
    *,
    threshold: float,
    rng: np.random.Generator,
    permutations: int,
) -> dict[str, float]:
    """The sampling floor of each metric: its mean under exact parity at these sizes and rates.

    Groups are permuted: among all examples for the metrics of :func:`compare_examples`, within each label for
    the others, so that their base rates stay.
    """
    copies = np.tile(codes, (permutations, 1))
    anywhere, within = rng.permuted(copies, axis=1), copies
    for label in (0, 1):
        rows = np.flatnonzero(y_true == label)
        within[:, rows] = rng.permuted(within[:, rows], axis=1)
    values = {
        **compare_examples(y_true, margin, q, anywhere, threshold=threshold),
        **compare_within_labels(y_true, margin, within, threshold=threshold),
        "abroca": abroca(y_true, margin, within),
    }
    return {name: float(np.mean(value)) for name, value in values.items()}


def corrected_intervals(
    y_true: np.ndarray,
    margin: np.ndarray,
    q: np.ndarray,
    codes: np.ndarray,
    *,
    threshold: float,
    rng: np.random.Generator,
    replicates: int,
) -> dict[str, tuple[float, float] | None]:
    """The 95% BCa intervals (Efron, 1987) of :func:`compare`, by scipy, resampling examples.

    Resampling adds its own noise to max - min, so percentile intervals lie too high and can miss the
    estimate; BCa corrects for the bias. None where a resample is undefined, or all are equal. It
    takes n evaluations more than a percentile interval.
    """
    from scipy import stats

    names = list(compare(y_true, margin, q, codes, threshold=threshold))

    def statistic(rows: np.ndarray, axis: int) -> np.ndarray:
        drawn = np.atleast_2d(rows)
        weights = np.stack([np.bincount(one, minlength=len(margin)) for one in drawn]).astype(float)
        compared = compare(y_true, margin, q, codes, threshold=threshold, weights=weights)
        values = np.stack(list(compared.values()))
        return values if rows.ndim > 1 else values[:, 0]

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", stats.DegenerateDataWarning
        )  # of a metric that is equal in all resamples
        found = stats.bootstrap(
            (np.arange(len(margin)),),
            statistic,
            n_resamples=replicates,
            batch=64,
            vectorized=True,
            method="BCa",
            rng=rng,
        ).confidence_interval
    return {
        name: None if np.isnan([low, high]).any() else (float(low), float(high))
        for name, low, high in zip(names, found.low, found.high, strict=True)
    }
