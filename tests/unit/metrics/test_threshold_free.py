"""Threshold-free group metrics: closed forms, brute force, fairlearn and scikit-learn."""

import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from scipy import stats
from sklearn.metrics import roc_auc_score

from clipfair.metrics.threshold_free import (
    abroca,
    compare,
    corrected_intervals,
    matched_threshold,
    recalibrate,
    sampling_floor,
)


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    n = 400
    codes = rng.choice(3, n, p=[0.2, 0.3, 0.5])
    y = rng.integers(0, 2, n)
    p = np.round(1 / (1 + np.exp(-rng.normal(y + 0.5 * (codes == 1), 1))), 2)  # with ties
    return y, p, p, codes


def test_the_matched_threshold_selects_as_many_as_are_positive():
    y, p = np.array([0, 1, 0, 1, 0]), np.array([0.5, 0.9, 0.6, 0.1, 0.2])
    assert matched_threshold(y, p) == 0.6
    assert np.sum(p >= matched_threshold(y, p)) == y.sum()
    assert matched_threshold(np.zeros(5), p) == np.inf


def test_metrics_at_the_matched_threshold_are_those_of_fairlearn(sample):
    y, p, q, codes = sample
    found = compare(y, p, q, codes, threshold=0.62)
    chosen = p >= 0.62
    groups = {"sensitive_features": codes}
    assert found["matched_dpd"][0] == pytest.approx(demographic_parity_difference(y, chosen, **groups))
    assert found["matched_deodds"][0] == pytest.approx(equalized_odds_difference(y, chosen, **groups))
    aucs = [roc_auc_score(y[codes == code], p[codes == code]) for code in range(3)]
    assert found["auc_gap"][0] == pytest.approx(max(aucs) - min(aucs))
    assert found["worst_auc"][0] == pytest.approx(min(aucs))


def test_mean_dpd_is_the_mean_over_the_thresholds_of_all_scores(sample):
    y, p, q, codes = sample
    by_hand = [demographic_parity_difference(y, p >= threshold, sensitive_features=codes) for threshold in p]
    assert compare(y, p, q, codes, threshold=0.5)["mean_dpd"][0] == pytest.approx(np.mean(by_hand))
    transformed = compare(y, p**3, q, codes, threshold=0.5)
    assert transformed["mean_dpd"][0] == pytest.approx(np.mean(by_hand))


def test_mean_dpd_of_groups_that_do_not_overlap_is_one_half():
    """At the i-th of 2m scores from above, i / m of one group and none of the other are selected, or all and
    (i - m) / m: the mean is (m + 1) / 2m + (m - 1) / 2m over 2.
    """
    m = 50
    codes = np.repeat([0, 1], m)
    p = np.linspace(0, 1, 2 * m)
    found = compare(codes, p, p, codes, threshold=0.5)["mean_dpd"][0]
    assert found == pytest.approx(((m + 1) / 2 + (m - 1) / 2) / (2 * m))


def test_the_calibration_gap_is_the_range_of_the_mean_errors():
    y, codes = np.array([1, 0, 1, 1]), np.array([0, 0, 1, 1])
    q = np.array([0.6, 0.6, 0.7, 0.7])
    assert compare(y, q, q, codes, threshold=0.5)["calibration_gap"][0] == pytest.approx(0.1 + 0.3)


def test_recalibrated_probabilities_have_the_mean_of_the_labels_and_their_order():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 500)
    p = 0.5 + 0.01 * (y + rng.normal(size=500)) / 3
    q = recalibrate(y, p, p)
    assert q.mean() == pytest.approx(y.mean(), abs=1e-4)
    np.testing.assert_array_equal(np.argsort(p, kind="stable"), np.argsort(q, kind="stable"))
    assert np.ptp(q) > 0.5
    assert recalibrate(y, np.full(500, 0.5), np.full(3, 0.5)) == pytest.approx(np.full(3, y.mean()))


def test_resamples_are_computed_as_repeated_examples(sample):
    y, p, q, codes = sample
    drawn = np.random.default_rng(2).integers(0, len(p), (3, len(p)))
    weights = np.stack([np.bincount(rows, minlength=len(p)) for rows in drawn])
    together = compare(y, p, q, codes, threshold=0.6, weights=weights)
    for number, rows in enumerate(drawn):
        alone = compare(y[rows], p[rows], q[rows], codes[rows], threshold=0.6)
        for name, values in alone.items():
            assert together[name][number] == pytest.approx(values[0]), name


# --- ABROCA ---


def test_abroca_of_a_right_and_a_reversed_order_is_one():
    y, codes = np.tile([0, 0, 1, 1], 2), np.repeat([0, 1], 4)
    p = np.array([0.1, 0.2, 0.8, 0.9, 0.9, 0.8, 0.2, 0.1])
    assert abroca(y, p, codes) == pytest.approx(1)
    constant = np.where(codes == 0, p, 0.5)
    assert abroca(y, constant, codes) == pytest.approx(0.5)


def test_abroca_is_the_area_between_the_curves_and_counts_crossings(sample):
    y, p, _, codes = sample
    two = codes < 2
    y, p, codes = y[two], p[two], codes[two]
    grid = (np.arange(100_000) + 0.5) / 100_000
    curves = [np.interp(grid, *points(y[codes == code], p[codes == code])) for code in (0, 1)]
    assert abroca(y, p, codes) == pytest.approx(np.mean(np.abs(curves[0] - curves[1])), abs=1e-5)
    gap = compare(y, p, p, codes, threshold=0.5)["auc_gap"][0]
    assert abroca(y, p, codes) >= gap


def points(y, p):
    """The ROC curve by counting."""
    thresholds = [np.inf, *np.unique(p)[::-1]]
    return [[np.mean(p[y == label] >= one) for one in thresholds] for label in (0, 1)]


def test_abroca_of_a_group_with_one_label_is_undefined():
    assert np.isnan(abroca(np.array([0, 1, 1, 1]), np.ones(4), np.array([0, 0, 1, 1])))


# --- floor and intervals ---


def test_the_floor_of_dpd_is_the_mean_absolute_difference_of_two_shares():
    """E|a - b| of two sample shares is about sqrt(2 / pi) times the deviation of their difference."""
    rng = np.random.default_rng(3)
    n, share = 1000, 0.3
    codes = np.repeat([0, 1], [300, 700])
    p = (np.arange(n) < share * n).astype(float)
    y = rng.integers(0, 2, n)
    floor = sampling_floor(y, p, p, codes, threshold=0.5, rng=rng, permutations=300)
    expected = np.sqrt(2 / np.pi * share * (1 - share) * (1 / 300 + 1 / 700))
    assert floor["matched_dpd"] == pytest.approx(expected, rel=0.1)


def test_the_floor_within_labels_keeps_the_base_rates_of_the_groups():
    """A perfect score of groups with other base rates: no DEOdds under parity, but DPD among all examples."""
    y = np.array([1] * 80 + [0] * 20 + [1] * 20 + [0] * 80)
    codes, p = np.repeat([0, 1], 100), y.astype(float)
    floor = sampling_floor(y, p, p, codes, threshold=0.5, rng=np.random.default_rng(0), permutations=20)
    assert (floor["matched_deodds"], floor["auc_gap"], floor["worst_auc"]) == (0, 0, 1)
    assert 0.02 < floor["matched_dpd"] < 0.15  # far below the DPD of the sample, 0.6


def test_intervals_are_scipys_bca_of_the_same_statistic():
    rng = np.random.default_rng(4)
    selected, codes = rng.random(60) < 0.4, np.repeat([0, 1], 30)
    p, y = selected.astype(float), np.tile([0, 1], 30)
    given = {"threshold": 0.5, "replicates": 200}
    low, high = corrected_intervals(y, p, p, codes, rng=np.random.default_rng(5), **given)["matched_dpd"]

    def statistic(rows):
        return abs(np.diff([p[rows[codes[rows] == code]].mean() for code in (0, 1)])[0])

    expected = stats.bootstrap(
        (np.arange(60),), statistic, vectorized=False, n_resamples=200, rng=np.random.default_rng(5)
    ).confidence_interval
    assert (low, high) == pytest.approx(tuple(expected))
    assert low < statistic(np.arange(60)) < high
