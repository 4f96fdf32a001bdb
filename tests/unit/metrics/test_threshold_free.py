"""Threshold-free group metrics: closed forms, brute force, fairlearn and scikit-learn."""

import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from scipy import stats
from sklearn.metrics import roc_auc_score

from clipfair.metrics.roc_area import abroca
from clipfair.metrics.threshold_free import (
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
    margin = np.round(rng.normal(y + 0.5 * (codes == 1) - 0.5, 1), 1)  # with ties
    return y, margin, 1 / (1 + np.exp(-margin)), codes


def test_the_matched_threshold_selects_as_many_as_are_positive():
    y, margin = np.array([0, 1, 0, 1, 0]), np.array([0.5, 0.9, 0.6, 0.1, 0.2])
    assert matched_threshold(y, margin) == 0.6
    assert np.sum(margin >= matched_threshold(y, margin)) == y.sum()
    assert matched_threshold(np.zeros(5), margin) == np.inf


@pytest.mark.parametrize(("prefix", "threshold"), [("matched_", 0.4), ("", 0.0)])
def test_metrics_at_a_threshold_are_those_of_fairlearn(sample, prefix, threshold):
    y, margin, q, codes = sample
    found = compare(y, margin, q, codes, threshold=0.4)
    chosen = margin >= threshold
    groups = {"sensitive_features": codes}
    assert found[f"{prefix}dpd"][0] == pytest.approx(demographic_parity_difference(y, chosen, **groups))
    assert found[f"{prefix}deodds"][0] == pytest.approx(equalized_odds_difference(y, chosen, **groups))


def test_the_gap_is_between_the_largest_and_the_smallest_auc(sample):
    y, margin, q, codes = sample
    found = compare(y, margin, q, codes, threshold=0.4)
    aucs = [roc_auc_score(y[codes == code], margin[codes == code]) for code in range(3)]
    assert found["auc_gap"][0] == pytest.approx(max(aucs) - min(aucs))
    assert found["worst_auc"][0] == pytest.approx(min(aucs))


def test_mean_dpd_is_the_mean_over_the_thresholds_of_all_margins(sample):
    y, margin, q, codes = sample
    counted = [demographic_parity_difference(y, margin >= one, sensitive_features=codes) for one in margin]
    assert compare(y, margin, q, codes, threshold=0.5)["mean_dpd"][0] == pytest.approx(np.mean(counted))
    transformed = compare(y, np.exp(margin), q, codes, threshold=0.5)
    assert transformed["mean_dpd"][0] == pytest.approx(np.mean(counted))


def test_mean_dpd_of_groups_that_do_not_overlap_is_one_half():
    """At the i-th of 2m scores from above, i / m of one group and none of the other are selected, or all and
    (i - m) / m: the mean is (m + 1) / 2m + (m - 1) / 2m over 2.
    """
    m = 50
    codes = np.repeat([0, 1], m)
    margin = np.linspace(0, 1, 2 * m)
    found = compare(codes, margin, margin, codes, threshold=0.5)["mean_dpd"][0]
    assert found == pytest.approx(((m + 1) / 2 + (m - 1) / 2) / (2 * m))


def test_the_calibration_gap_is_the_range_of_the_mean_errors():
    y, codes = np.array([1, 0, 1, 1]), np.array([0, 0, 1, 1])
    q = np.array([0.6, 0.6, 0.7, 0.7])
    assert compare(y, q, q, codes, threshold=0.5)["calibration_gap"][0] == pytest.approx(0.1 + 0.3)


def test_recalibrated_probabilities_have_the_mean_of_the_labels_and_the_order_of_the_margins():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 500)
    margin = 0.04 * (y + rng.normal(size=500)) / 3
    q = recalibrate(y, margin, margin)
    assert q.mean() == pytest.approx(y.mean(), abs=1e-4)
    np.testing.assert_array_equal(np.argsort(margin, kind="stable"), np.argsort(q, kind="stable"))
    assert np.ptp(q) > 0.5
    assert recalibrate(y, 100 * margin + 7, 100 * margin + 7) == pytest.approx(q, abs=1e-6)
    assert recalibrate(y, np.full(500, 0.5), np.full(3, 0.5)) == pytest.approx(np.full(3, y.mean()))


def test_resamples_are_computed_as_repeated_examples(sample):
    y, margin, q, codes = sample
    drawn = np.random.default_rng(2).integers(0, len(margin), (3, len(margin)))
    weights = np.stack([np.bincount(rows, minlength=len(margin)) for rows in drawn])
    together = compare(y, margin, q, codes, threshold=0.6, weights=weights)
    for number, rows in enumerate(drawn):
        alone = compare(y[rows], margin[rows], q[rows], codes[rows], threshold=0.6)
        for name, values in alone.items():
            assert together[name][number] == pytest.approx(values[0]), name


def test_many_assignments_of_groups_are_computed_as_one_after_the_other(sample):
    y, margin, q, codes = sample
    rng = np.random.default_rng(3)
    assignments = np.stack([rng.permutation(codes) for _ in range(4)])
    together = compare(y, margin, q, assignments, threshold=0.6)
    for number, assigned in enumerate(assignments):
        for name, values in compare(y, margin, q, assigned, threshold=0.6).items():
            assert together[name][number] == pytest.approx(values[0]), name


# --- floor and intervals ---


def test_the_floor_of_dpd_is_the_mean_absolute_difference_of_two_shares():
    """E|a - b| of two sample shares is about sqrt(2 / pi) times the deviation of their difference."""
    rng = np.random.default_rng(3)
    n, share = 1000, 0.3
    codes = np.repeat([0, 1], [300, 700])
    margin = np.where(np.arange(n) < share * n, 1.0, -1.0)
    y = rng.integers(0, 2, n)
    floor = sampling_floor(y, margin, margin, codes, threshold=0.5, rng=rng, permutations=300)
    expected = np.sqrt(2 / np.pi * share * (1 - share) * (1 / 300 + 1 / 700))
    assert floor["matched_dpd"] == pytest.approx(expected, rel=0.1)
    assert floor["dpd"] == pytest.approx(expected, rel=0.1)


def test_the_floor_within_labels_keeps_the_base_rates_of_the_groups():
    """A perfect score of groups with other base rates: no DEOdds under parity, but DPD among all examples."""
    y = np.array([1] * 80 + [0] * 20 + [1] * 20 + [0] * 80)
    codes, margin = np.repeat([0, 1], 100), y - 0.5
    given = {"threshold": 0.0, "rng": np.random.default_rng(0), "permutations": 20}
    floor = sampling_floor(y, margin, y, codes, **given)
    within = ("matched_deodds", "deodds", "auc_gap", "worst_auc", "abroca")
    assert [floor[name] for name in within] == [0, 0, 0, 1, 0]
    assert 0.02 < floor["matched_dpd"] < 0.15  # far below the DPD of the sample, 0.6


def test_a_sample_without_differences_is_near_its_floor_and_one_with_a_shift_above(sample):
    y, margin, q, codes = sample
    given = {"threshold": 0.4, "permutations": 100}
    shuffled = np.random.default_rng(4).permutation(codes)
    for assigned, is_above in ((codes, True), (shuffled, False)):
        found = compare(y, margin, q, assigned, threshold=0.4) | {"abroca": abroca(y, margin, assigned)}
        floor = sampling_floor(y, margin, q, assigned, rng=np.random.default_rng(5), **given)
        assert floor.keys() == found.keys()
        assert (found["mean_dpd"][0] > 2 * floor["mean_dpd"]) == is_above


def test_intervals_are_scipys_bca_of_the_same_statistic():
    rng = np.random.default_rng(4)
    selected, codes = rng.random(60) < 0.4, np.repeat([0, 1], 30)
    margin, y = 1.0 + selected, np.tile([0, 1], 30)
    given = {"threshold": 1.5, "replicates": 200}
    found = corrected_intervals(y, margin, margin, codes, rng=np.random.default_rng(5), **given)
    low, high = found["matched_dpd"]

    def statistic(rows):
        return abs(np.diff([selected[rows[codes[rows] == code]].mean() for code in (0, 1)])[0])

    expected = stats.bootstrap(
        (np.arange(60),), statistic, vectorized=False, n_resamples=200, rng=np.random.default_rng(5)
    ).confidence_interval
    assert (low, high) == pytest.approx(tuple(expected))
    assert low < statistic(np.arange(60)) < high
    assert found["dpd"] is None  # everybody is selected in each resample
