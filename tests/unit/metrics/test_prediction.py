"""AUC and rates against scikit-learn and brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from clipfair.metrics.bootstrap import draw_counts
from clipfair.metrics.prediction import auc, predict, rates

EXAMPLES = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.7000001, 0.9])),
    min_size=1,
    max_size=40,
)


def made(n=300):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    return y, np.clip(0.5 + 0.1 * rng.normal(size=n) + 0.05 * y, 0, 1).round(2)


@given(EXAMPLES)
def test_auc_is_brute_force_over_pairs(examples):
    y, p = map(np.array, zip(*examples, strict=True))
    pairs = [(a > b) + (a == b) / 2 for a in p[y == 1] for b in p[y == 0]]
    assert auc(y, p) == pytest.approx(np.mean(pairs) if pairs else np.nan, nan_ok=True)


def test_auc_is_scikit_learns():
    y, p = made()
    assert auc(y, p) == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-12)


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_have_no_auc(score):
    y, p = made()
    assert np.isnan(auc(y, np.where(np.arange(len(y)) == 7, score, p)))
    assert np.isnan(auc(y, np.full(len(y), score)))


def test_rates_of_each_resample_are_those_of_its_repeated_examples():
    y, p = made(60)
    [counts] = draw_counts(60, np.random.default_rng(1), replicates=4)
    found = rates(y, p, counts)
    for place, row in enumerate(counts):
        labels, repeated = np.repeat(y, row), np.repeat(p, row)
        predicted = predict(repeated)
        assert found.auc[place] == pytest.approx(metrics.roc_auc_score(labels, repeated))
        assert found.accuracy[place] == pytest.approx(metrics.accuracy_score(labels, predicted))
        assert found.selection_rate[place] == pytest.approx(predicted.mean())
        negative, positive = metrics.confusion_matrix(labels, predicted, normalize="true")[:, 1]
        assert found.true_positive_rate[place] == pytest.approx(positive)
        assert found.false_positive_rate[place] == pytest.approx(negative)


def test_a_rate_without_cases_is_undefined():
    found = rates(np.array([1, 1]), np.array([0.2, 0.9]))
    assert np.isnan([found.auc[0], found.false_positive_rate[0]]).all()
    assert (found.accuracy[0], found.true_positive_rate[0]) == (0.5, 0.5)
    assert np.isnan(rates(np.zeros(0, int), np.zeros(0)).accuracy[0])
