"""Rates of decisions: counting, fairlearn, expectations over draws."""

import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from sklearn.metrics import balanced_accuracy_score

from clipfair.metrics.decisions import compare_decisions, decision_rates

Y = np.array([0, 0, 1, 1, 0, 1, 1, 1])
CODES = np.array([0, 0, 0, 0, 1, 1, 1, 1])


def test_rates_of_random_decisions_by_hand():
    decision = np.array([0.5, 0, 1, 0.5, 1, 1, 0, 0.5])
    assert decision_rates(Y, decision) == (4.5 / 8, 3 / 5, 1.5 / 3)
    found = compare_decisions(Y, decision, CODES)
    # Rates of selection, of true and of false positives: 2/4, 1.5/2, 0.5/2 and 2.5/4, 1.5/3, 1.
    assert found == pytest.approx(
        {
            "dpd": 0.125,
            "deodds": 0.75,
            "selection_rate": 4.5 / 8,
            "balanced_accuracy": 0.55,
            "worst_balanced_accuracy": 0.25,
        }
    )


def test_decisions_of_0_and_1_are_those_of_the_libraries():
    rng = np.random.default_rng(0)
    y, decision, codes = rng.integers(2, size=300), rng.integers(2, size=300), rng.integers(3, size=300)
    found = compare_decisions(y, decision, codes)
    given = {"sensitive_features": codes}
    assert found["dpd"] == pytest.approx(demographic_parity_difference(y, decision, **given))
    assert found["deodds"] == pytest.approx(equalized_odds_difference(y, decision, **given))
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y, decision))
    groups = [balanced_accuracy_score(y[codes == code], decision[codes == code]) for code in range(3)]
    assert found["worst_balanced_accuracy"] == pytest.approx(min(groups))


def test_a_group_without_a_label_has_no_odds():
    found = compare_decisions(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]))
    assert found["dpd"] == 0.5
    assert np.isnan(found["deodds"])
    assert np.isnan(found["worst_balanced_accuracy"])
