"""Group fairness of a binary prediction, from the rates of each group (docs/fairclip-protocol.md, section 4).

With AUC_g and ACC_g of group g of an attribute, and sums and maxima over its groups:

    ES-AUC = AUC / (1 + sum_g |AUC_g - AUC|)          ES-ACC = ACC / (1 + sum_g |ACC_g - ACC|)
    DPD    = max - min of the selection rate P(prediction = 1 | g)
    DEOdds = the larger of max - min of the true positive rate and of the false positive rate
    disparity: std_g(AUC_g) / AUC (ddof 0), and (max_g AUC_g - min_g AUC_g) / AUC

A model that predicts one label for all examples has DPD = DEOdds = 0; read them together with accuracy and
selection rate. Where every rate is defined, DPD and DEOdds are fairlearn's. fairlearn counts a rate without
cases as 0 and leaves out a group without examples; here the metric is NaN.

Arrays have groups on the first axis and may have resamples on the second.
"""

from collections.abc import Sequence

import numpy as np

from clipfair.metrics.prediction import PredictionRates

COMPARISONS = ("es_auc", "es_accuracy", "dpd", "deodds", "disparity_std", "disparity_range")


def demographic_parity_difference(selection_rates: np.ndarray) -> np.ndarray:
    """max_g - min_g of the selection rates (G, ...); NaN if a group's rate is NaN."""
    return np.ptp(selection_rates, axis=0)


def equalized_odds_difference(
    true_positive_rates: np.ndarray, false_positive_rates: np.ndarray
) -> np.ndarray:
    """The larger of max_g - min_g of the two rates (G, ...); NaN if a group's rate is NaN."""
    return np.maximum(np.ptp(true_positive_rates, axis=0), np.ptp(false_positive_rates, axis=0))


def equity_scaled(overall: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """overall / (1 + sum_g |groups_g - overall|); ``groups`` (G, ...)."""
    return overall / (1 + sum(abs(group - overall) for group in groups))


def compare_groups(overall: PredictionRates, groups: Sequence[PredictionRates]) -> dict[str, np.ndarray]:
    """The metrics of an attribute.

    Parameters
    ----------
    overall
        PredictionRates of all examples whose group is known, (b,) each.
    groups
        PredictionRates of each group, (b,) each.

    Returns
    -------
    Each of :data:`COMPARISONS`, (b,); NaN where undefined, and everywhere if there are fewer than two groups.
    """
    if len(groups) < 2:
        return {name: np.full(len(overall.auc), np.nan) for name in COMPARISONS}
    of_groups = PredictionRates(*(np.stack(values) for values in zip(*groups, strict=True)))
    base = np.where(overall.auc == 0, np.nan, overall.auc)
    return {
        "es_auc": equity_scaled(overall.auc, of_groups.auc),
        "es_accuracy": equity_scaled(overall.accuracy, of_groups.accuracy),
        "dpd": demographic_parity_difference(of_groups.selection_rate),
        "deodds": equalized_odds_difference(of_groups.true_positive_rate, of_groups.false_positive_rate),
        "disparity_std": of_groups.auc.std(axis=0) / base,
        "disparity_range": np.ptp(of_groups.auc, axis=0) / base,
    }
