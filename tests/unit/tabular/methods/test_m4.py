# ruff: noqa: N803 - X is scikit-learn's name

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.linear_model import LogisticRegression

from clipfair.core.errors import UserError
from clipfair.plan.mitigation_settings import BaselineSettings, M4MitigationSettings
from clipfair.tabular.methods import baseline, m4

# Men and women with and without the label, as UCI publishes the two datasets.
ADULT = {(0, 0): 14_423, (0, 1): 1_769, (1, 0): 22_732, (1, 1): 9_918}
CREDIT = {(0, 0): 14_349, (0, 1): 3_763, (1, 0): 9_015, (1, 1): 2_873}


def examples(cells):
    rows = np.repeat(np.array(list(cells)), list(cells.values()), axis=0)
    return rows[:, :1], rows[:, 1:]


def largest_rate(sensitive, labels, target):
    """max E[q], 0 <= q <= 1, with the two biases zero, one variable a cell."""
    cells, count = np.unique(np.hstack([sensitive, labels]), axis=0, return_counts=True)
    share = count / count.sum()
    centred = share * (cells[:, 0] - target)
    return -linprog(-share, A_eq=[centred, centred * cells[:, 1]], b_eq=[0, 0], bounds=(0, 1)).fun


@pytest.mark.parametrize("cells", [ADULT, CREDIT])
@pytest.mark.parametrize("target", ["data", "uniform"])
def test_balances_fully_at_the_largest_rate(cells, target):
    sensitive, labels = examples(cells)
    weights, details = m4.balance(sensitive, labels, M4MitigationSettings(target=target))
    pi = 0.5 if target == "uniform" else sensitive.mean()
    assert details["rate"] == pytest.approx(largest_rate(sensitive, labels, pi), abs=1e-9)
    assert weights.mean() == pytest.approx(details["rate"], abs=1e-9)
    assert np.average(sensitive[:, 0], weights=weights) == pytest.approx(pi, abs=1e-7)
    rates = [np.average(labels[:, 0], weights=weights * (sensitive[:, 0] == s)) for s in (0, 1)]
    assert rates[0] == pytest.approx(rates[1], abs=1e-7)
    assert details["association_bias_weighted"] < 1e-7 < details["association_bias_before"]
    assert details["relative_gap"] < 1e-6


def test_a_rate_that_is_too_large_leaves_bias():
    sensitive, labels = examples(ADULT)
    weights, details = m4.balance(sensitive, labels, M4MitigationSettings(rate=0.9))
    assert weights.mean() == pytest.approx(0.9)
    rates = [np.average(labels[:, 0], weights=weights * (sensitive[:, 0] == s)) for s in (0, 1)]
    assert details["association_bias_weighted"] == pytest.approx(rates[1] - rates[0])
    assert 0.05 < details["association_bias_weighted"] < details["association_bias_before"]
    assert details["largest_violation"] > 0


def test_indicators_of_all_groups_but_the_last():
    groups = np.array(["a", "c", "b", "a"], dtype=object)
    np.testing.assert_array_equal(m4.indicators(groups, ("a", "b")), [[1, 0], [0, 0], [0, 1], [1, 0]])


def test_subsampling_trains_on_balanced_rows(data):
    recorded = {}

    class Recorder(LogisticRegression):
        def fit(self, X, y):
            recorded.update(male=X[:, data.sensitive_columns[1]], y=y)
            return super().fit(X, y)

    outcome = m4.fit_predict(data, M4MitigationSettings(), classifier=Recorder(), seed=0)
    kept, rate = len(recorded["y"]), outcome.details["rate"]
    assert outcome.details["rows_kept"] == kept
    assert abs(kept - rate * len(data.y_train)) < 4 * np.sqrt(rate * (1 - rate) * len(data.y_train))
    difference = recorded["y"][recorded["male"] == 1].mean() - recorded["y"][recorded["male"] == 0].mean()
    assert outcome.details["association_bias_kept"] == pytest.approx(abs(difference))
    assert abs(difference) < 0.3 * outcome.details["association_bias_before"]


def test_reweighing_trains_on_all_rows_with_mean_weight_one(data):
    recorded = {}

    class Recorder(LogisticRegression):
        def fit(self, X, y, sample_weight):
            recorded.update(male=X[:, data.sensitive_columns[1]] == 1, y=y, weight=sample_weight)
            return super().fit(X, y, sample_weight)

    settings = M4MitigationSettings(use="reweigh", rate=1, max_weight=10)
    m4.fit_predict(data, settings, classifier=Recorder(), seed=0)
    assert len(recorded["y"]) == len(data.y_train)
    assert recorded["weight"].mean() == pytest.approx(1)
    rates = [
        np.average(recorded["y"], weights=recorded["weight"] * (recorded["male"] == male))
        for male in (True, False)
    ]
    assert rates[0] == pytest.approx(rates[1], abs=1e-7)


@pytest.mark.parametrize("settings", [{}, {"use": "reweigh"}, {"target": "uniform"}])
def test_reduces_the_difference(data, classifier, settings):
    fair = m4.fit_predict(data, M4MitigationSettings(**settings), classifier=classifier, seed=0).predictions
    plain = baseline.fit_predict(data, BaselineSettings(), classifier=classifier, seed=0).predictions
    male = data.s_test == "male"
    assert abs(fair[male].mean() - fair[~male].mean()) < 0.7 * abs(plain[male].mean() - plain[~male].mean())


def test_no_rate_at_all_is_an_error():
    # Every man has the label and no woman has: balanced means empty.
    sensitive = labels = np.array([[0], [0], [1]])
    with pytest.raises(UserError, match="no rate > 0"):
        m4.balance(sensitive, labels, M4MitigationSettings())
