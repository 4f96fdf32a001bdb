"""Group fairness that does not depend on a fixed threshold, next to the papers' metrics at one half.

With S_g(t) = P(score >= t) of group g of an attribute, and ranges max - min over the groups:

    mean_dpd        = the mean of the range of S_g(t) over t, the scores of all examples
    matched_dpd     = DPD at the threshold that selects, on validation, the share of positive labels there
    matched_deodds  = DEOdds at that threshold
    auc_gap         = the range of the AUC; worst_auc is the smallest
    calibration_gap = the range of mean(q) - mean(label), q the probability after a logistic recalibration
    abroca          = the largest area between the ROC curves of two groups (Gardner et al., 2019)

``matched_dpd`` and ``matched_deodds`` are those of :mod:`clipfair.metrics.fairness` at another threshold.
Values are in [0, 1], and NaN where a rate is undefined. mean_dpd, auc_gap and abroca do not change if the
scores are transformed by an increasing function.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from clipfair.metrics.fairness import demographic_parity_difference, equalized_odds_difference
from clipfair.metrics.prediction import PredictionRates, rates

# Those that compare groups within a label; the others compare all examples of a group.
WITHIN_LABELS = ("matched_deodds", "auc_gap", "abroca")


def matched_threshold(y_true: np.ndarray, p: np.ndarray) -> float:
    """The threshold that selects as many examples as have label 1; more if scores are tied.

    ``y_true`` and ``p`` are (n,), of validation. Infinite without label 1.
    """
    positive = int(np.sum(y_true == 1))
    return float(np.sort(p)[-positive]) if positive else np.inf


def recalibrate(y_true: np.ndarray, p: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The probabilities of ``others`` after a logistic regression of validation labels on the logit of p.

    CLIP's probabilities without the temperature are all close to one half, so their calibration without this
    step says nothing about the groups.

    Parameters
    ----------
    y_true, p : (n,), of validation, with both labels.
    others : (m,).

    Returns
    -------
    (m,)
    """
    from sklearn.linear_model import LogisticRegression  # late: its import takes a second

    given, wanted = _logit(p), _logit(others)
    centre, scale = given.mean(), given.std() or 1.0
    regression = LogisticRegression(C=np.inf, max_iter=1000)
    regression.fit((given - centre)[:, None] / scale, y_true)
    return regression.predict_proba((wanted - centre)[:, None] / scale)[:, 1]


def _logit(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(p) - np.log1p(-p)


def compare(
    y_true: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    codes: np.ndarray,
    *,
    threshold: float,
    weights: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """All metrics but ABROCA, for one sample or for many resamples at once.

    Parameters
    ----------
    y_true, p, q : (n,) labels, probabilities, recalibrated probabilities.
    codes : (n,) the number of each example's group: 0 to G - 1, G >= 2.
    threshold : of the matched metrics.
    weights : (b, n) how often each example counts; None for one row of ones.

    Returns
    -------
    Metric -> (b,).
    """
    weights = np.ones((1, len(p))) if weights is None else weights
    members = [codes == code for code in range(codes.max() + 1)]
    groups = [rates(y_true[rows], p[rows], weights[:, rows], threshold=threshold) for rows in members]
    of_groups = PredictionRates(*(np.stack(values) for values in zip(*groups, strict=True)))
    calibration = np.stack([_weighted_mean((q - y_true)[rows], weights[:, rows]) for rows in members])
    return {
        "mean_dpd": _mean_dpd(p, members, weights),
        "matched_dpd": demographic_parity_difference(of_groups.selection_rate),
        "matched_deodds": equalized_odds_difference(
            of_groups.true_positive_rate, of_groups.false_positive_rate
        ),
        "auc_gap": np.ptp(of_groups.auc, axis=0),
        "worst_auc": of_groups.auc.min(axis=0),
        "calibration_gap": np.ptp(calibration, axis=0),
    }


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: undefined
        return weights @ values / weights.sum(axis=1)


def _mean_dpd(p: np.ndarray, members: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    first = np.searchsorted(p[order], p[order], side="left")  # of the examples with the same score
    low, high = np.full(weights.shape, np.inf), np.full(weights.shape, -np.inf)
    for rows in members:
        own = weights[:, order] * rows[order]
        below = np.hstack([np.zeros((len(own), 1)), np.cumsum(own, axis=1)])
        with np.errstate(invalid="ignore"):
            selected = 1 - below[:, first] / below[:, -1:]
        low, high = np.minimum(low, selected), np.maximum(high, selected)
    return ((high - low) * weights[:, order]).sum(axis=1) / weights.sum(axis=1)


def abroca(y_true: np.ndarray, p: np.ndarray, codes: np.ndarray) -> float:
    """The largest area between the ROC curves of two groups; NaN if a group lacks one of the labels."""
    groups = [codes == code for code in range(codes.max() + 1)]
    if any(len(np.unique(y_true[rows])) < 2 for rows in groups):
        return np.nan
    curves = [_roc(y_true[rows], p[rows]) for rows in groups]
    return max(_area_between(one, other) for one, other in combinations(curves, 2))


def _roc(y_true: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.metrics import roc_curve

    return roc_curve(y_true, p, drop_intermediate=False)[:2]


def _area_between(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> float:
    """The exact area between two piecewise linear curves (x, y), which may have vertical parts."""
    ends = np.union1d(one[0], other[0])
    start, width = ends[:-1], np.diff(ends)
    # Both curves are linear between two ends. Their values at the ends follow from two points inside, where
    # vertical parts make no difference.
    third, two_thirds = (
        np.interp(start + share * width, *one) - np.interp(start + share * width, *other)
        for share in (1 / 3, 2 / 3)
    )
    left, right = 2 * third - two_thirds, 2 * two_thirds - third
    sizes = np.abs(left) + np.abs(right)
    crossed = (left**2 + right**2) / np.where(sizes == 0, 1, 2 * sizes)
    return float(np.sum(width * np.where(left * right >= 0, sizes / 2, crossed)))


def sampling_floor(
    y_true: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    codes: np.ndarray,
    *,
    threshold: float,
    rng: np.random.Generator,
    permutations: int,
) -> dict[str, float]:
    """The mean of each metric if groups were alike: what exact parity shows at these sizes and rates.

    Groups are permuted: among all examples, or within each label for the metrics of :data:`WITHIN_LABELS`
    and ``worst_auc``, so that their base rates stay.
    """
    sums: dict[str, list[float]] = {}
    labels = [np.flatnonzero(y_true == label) for label in (0, 1)]
    for _ in range(permutations):
        anywhere, within = rng.permutation(codes), codes.copy()
        for rows in labels:
            within[rows] = rng.permutation(codes[rows])
        of_all, of_labels = (compare(y_true, p, q, part, threshold=threshold) for part in (anywhere, within))
        chosen = {
            name: (of_labels if name in (*WITHIN_LABELS, "worst_auc") else of_all)[name][0] for name in of_all
        }
        for name, value in {**chosen, "abroca": abroca(y_true, p, within)}.items():
            sums.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in sums.items()}


def corrected_intervals(
    y_true: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    codes: np.ndarray,
    *,
    threshold: float,
    rng: np.random.Generator,
    replicates: int,
) -> dict[str, tuple[float, float] | None]:
    """The 95% BCa intervals (Efron, 1987) of :func:`compare`, by scipy, resampling examples.

    Resampling adds its own noise to max - min, so percentile intervals lie too high and can miss the
    estimate; BCa corrects for the bias. None where a resample is undefined. It takes n evaluations more than
    a percentile interval.
    """
    from scipy import stats

    names = list(compare(y_true, p, q, codes, threshold=threshold))

    def statistic(rows: np.ndarray, axis: int) -> np.ndarray:
        drawn = np.atleast_2d(rows)
        weights = np.stack([np.bincount(one, minlength=len(p)) for one in drawn]).astype(float)
        values = np.stack(list(compare(y_true, p, q, codes, threshold=threshold, weights=weights).values()))
        return values if rows.ndim > 1 else values[:, 0]

    with np.errstate(all="ignore"):
        found = stats.bootstrap(
            (np.arange(len(p)),),
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
