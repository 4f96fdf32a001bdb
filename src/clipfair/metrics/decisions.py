"""Rates of decisions that may be random, by group: for each example the probability of the decision 1.

Rates are then expected values; decisions of 0 and 1 are a special case.
"""

from typing import NamedTuple

import numpy as np

from clipfair.metrics.fairness import demographic_parity_difference, equalized_odds_difference


class DecisionRates(NamedTuple):
    """Expected rates of a set of examples; NaN where one has no examples."""

    selection_rate: float
    true_positive_rate: float
    false_positive_rate: float

    @property
    def balanced_accuracy(self) -> float:
        """The mean of the accuracies of both labels."""
        return (self.true_positive_rate + 1 - self.false_positive_rate) / 2


def decision_rates(y_true: np.ndarray, decision: np.ndarray) -> DecisionRates:
    """The rates of (n,) decisions in [0, 1] for labels of 0 and 1.

    :func:`clipfair.metrics.prediction.rates` cuts a probability at a threshold; here the decision is the
    probability of selection itself, and rates are its means. There are no resamples: a rate is a number.
    """
    parts = (np.ones(len(y_true), dtype=bool), y_true == 1, y_true == 0)
    return DecisionRates(*(float(decision[rows].mean()) if rows.any() else np.nan for rows in parts))


def compare_decisions(y_true: np.ndarray, decision: np.ndarray, codes: np.ndarray) -> dict[str, float]:
    """DPD and DEOdds of decisions, their selection rate, and their balanced accuracies.

    Parameters
    ----------
    y_true, decision : (n,) labels, decisions in [0, 1].
    codes : (n,) the number of each example's group: 0 to G - 1, G >= 2.

    Returns
    -------
    ``dpd``, ``deodds``, ``selection_rate``, ``balanced_accuracy``, and ``worst_balanced_accuracy``, the
    smallest of a group: a gap that closes while it falls is closed by levelling down.
    """
    overall = decision_rates(y_true, decision)
    groups = [decision_rates(y_true[rows], decision[rows]) for rows in _members(codes)]
    selected, true_positives, false_positives = map(np.array, zip(*groups, strict=True))
    return {
        "dpd": float(demographic_parity_difference(selected)),
        "deodds": float(equalized_odds_difference(true_positives, false_positives)),
        "selection_rate": overall.selection_rate,
        "balanced_accuracy": overall.balanced_accuracy,
        "worst_balanced_accuracy": float(np.min([group.balanced_accuracy for group in groups])),
    }


def _members(codes: np.ndarray) -> list[np.ndarray]:
    return [codes == code for code in range(codes.max() + 1)]
