"""Statistics over runs against brute force over all signs, scipy, and closed forms."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clipfair.metrics.statistics import (
    EXACT_UP_TO,
    FLIPPED_UP_TO,
    compare_conditions,
    equivalence_test,
    holm,
    mean_interval,
    nested_interval,
    sign_flip_test,
    signed_rank,
    summarise_runs,
)


def brute_force(differences):
    """The p-value by every assignment of signs."""
    kept = np.array([d for d in differences if d])
    ranks = stats.rankdata(np.abs(kept))
    observed = ranks[kept > 0].sum()
    sums = np.array([ranks[list(signs)].sum() for signs in product([False, True], repeat=len(kept))])
    at_least, at_most = (sums >= observed - 1e-9).mean(), (sums <= observed + 1e-9).mean()
    return min(1, 2 * min(at_least, at_most))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_the_signed_rank_test_is_exact_with_ties_and_zeros(differences):
    test = signed_rank(differences)
    if any(differences):
        assert test.p_value == pytest.approx(brute_force(differences))
    else:
        assert test.p_value == 1
    assert test.n == sum(d != 0 for d in differences)


@pytest.mark.parametrize("n", [1, 3, 12, 40])
def test_without_ties_it_agrees_with_scipy(n):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    expected = stats.wilcoxon(differences, method="exact")
    assert signed_rank(differences).p_value == pytest.approx(expected.pvalue)


def test_many_pairs_with_ties_agree_with_scipys_approximation():
    differences = np.random.default_rng(1).integers(-9, 12, 2 * EXACT_UP_TO)
    expected = stats.wilcoxon(differences, method="approx")
    assert signed_rank(differences).p_value == pytest.approx(expected.pvalue)


def test_the_approximation_takes_over_smoothly():
    values = np.random.default_rng(2).normal(0.15, 1, EXACT_UP_TO)
    exact = signed_rank(values).p_value
    assert stats.wilcoxon(values, method="approx").pvalue == pytest.approx(exact, rel=0.02)


def test_differences_that_are_equal_up_to_a_floats_last_bit_are_tied():
    noisy, clean = [0.3 - 0.2, 0.2 - 0.1, -0.1, 0.5], [0.1, 0.1, -0.1, 0.5]
    assert signed_rank(noisy) == signed_rank(clean)


def test_no_difference_at_all_gives_one():
    assert signed_rank([0, 0, np.nan]).p_value == 1
    assert signed_rank([]).n == 0


def test_the_least_p_value_is_that_of_equal_signs():
    for n in (1, 5, 8):
        assert signed_rank(np.arange(1, n + 1)).p_value == 2.0 ** (1 - n)


def test_the_matrix_has_every_ordered_pair_and_only_complete_pairs():
    values = pd.DataFrame({"a": [1.0, 2, 3, np.nan], "b": [0.0, 0, 0, 5], "c": [np.nan] * 4})
    matrix = compare_conditions(values).set_index(["condition", "against"])
    assert len(matrix) == 6
    assert matrix.loc[("a", "b"), "p_value"] == matrix.loc[("b", "a"), "p_value"] == 0.25
    assert matrix.loc[("a", "b"), "median_difference"] == 2
    assert matrix.loc[("b", "a"), "median_difference"] == -2
    assert matrix.loc[("a", "b"), "pairs"] == 3
    assert np.isnan(matrix.loc[("a", "c"), "p_value"])
    assert matrix.loc[("a", "c"), "pairs"] == 0


def test_holm_is_monotone_and_at_most_one():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_runs_are_summarised_by_cell_in_the_order_of_their_first_run():
    values = pd.DataFrame(
        {
            "model": ["b", "b", "a", "b", "a"],
            "group": [np.nan, np.nan, "x", np.nan, "x"],
            "value": [1.0, 3.0, 5.0, np.nan, np.nan],
            "n": [10, 20, 30, 40, 50],
        }
    )
    cells = summarise_runs(values, ["model", "group"], size=("n", "max"))
    assert cells["model"].tolist() == ["b", "a"]
    assert cells["mean"].tolist() == [2, 5]
    assert cells["std"].tolist() == pytest.approx([np.sqrt(2), np.nan], nan_ok=True)
    assert cells["n"].tolist() == [2, 1]
    assert cells["size"].tolist() == [40, 50]


def test_the_t_interval_is_scipys_and_is_undefined_for_one_value():
    values = np.random.default_rng(5).normal(0.4, 1, 7)
    expected = stats.ttest_1samp(values, 0)
    low, high = expected.confidence_interval(0.95)
    found = mean_interval([*values, np.nan])
    assert found == pytest.approx((values.mean(), low, high, 7, expected.pvalue))
    assert np.isnan(mean_interval([]).mean)
    assert mean_interval([1.0, np.nan])[:1] == (1.0,)
    assert np.isnan(mean_interval([1.0, np.nan]).low)


def test_equal_values_have_an_interval_of_no_width():
    assert mean_interval([0.0, 0.0]) == (0.0, 0.0, 0.0, 2, 1.0)
    same = mean_interval([2.0, 2.0])
    assert same[:4] == (2.0, 2.0, 2.0, 2)
    assert np.isnan(same.p)


# --- tests and intervals with units -------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8))
def test_the_sign_flip_test_enumerates_all_signs(differences):
    test = sign_flip_test(differences)
    means = [np.mean(np.multiply(signs, differences)) for signs in product([-1, 1], repeat=len(differences))]
    observed = np.mean(differences)
    at_least = np.mean(np.array(means) >= observed - 1e-9)
    at_most = np.mean(np.array(means) <= observed + 1e-9)
    assert test.p_value == pytest.approx(min(1, 2 * min(at_least, at_most)))
    assert test.statistic == pytest.approx(observed)
    assert test.n == sum(d != 0 for d in differences)


def test_the_smallest_p_value_of_the_sign_flip_test_is_that_of_equal_signs():
    for n in (5, 6, 16):
        assert sign_flip_test(np.arange(1, n + 1)).p_value == pytest.approx(2.0 ** (1 - n))
    assert sign_flip_test([]).p_value == 1
    assert sign_flip_test([np.nan, 0.0]).p_value == 1


def test_with_many_units_signs_are_drawn_and_agree_with_the_normal_approximation():
    differences = np.random.default_rng(0).normal(0.25, 1, 4 * FLIPPED_UP_TO)
    z = differences.sum() / np.sqrt(np.square(differences).sum())
    assert sign_flip_test(differences).p_value == pytest.approx(2 * stats.norm.sf(abs(z)), abs=0.01)


def test_equivalence_is_an_interval_of_90_percent_within_the_margins():
    rng = np.random.default_rng(1)
    for n, mean in product((3, 8, 16), (-1.5, 0.0, 0.7)):
        differences = rng.normal(mean, 1, n)
        found = equivalence_test(differences, 2.0)
        half = stats.t.ppf(0.95, n - 1) * differences.std(ddof=1) / np.sqrt(n)
        assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half))
        assert (found.p <= 0.05) == (found.low > -2 and found.high < 2)


def test_the_p_value_of_equivalence_in_closed_form():
    """Mean 1, standard error 1, margin 3: the nearer bound is 2 standard errors away."""
    found = equivalence_test(np.array([1 - np.sqrt(3), 1, 1 + np.sqrt(3)]), 3.0)
    assert found.p == pytest.approx(stats.t.sf(2, 2))
    negative, positive = (equivalence_test(values, 3.0).p for values in ([-1, -2, -4], [1, 2, 4]))
    assert negative == pytest.approx(positive)


@pytest.mark.parametrize("differences", [[], [0.1], [0.1, np.nan], [0.2, 0.2, 0.2]])
def test_without_variation_equivalence_is_undefined(differences):
    assert np.isnan(equivalence_test(differences, 1.0).p)


def nested(draws, seeds, examples, *, between, within, rng):
    """Values of draws, seeds and examples: a draw's mean varies by ``between``, an example by ``within``."""
    rows = [
        {"draw": draw, "seed": seed, "value": mean + rng.normal(0, within)}
        for draw, mean in enumerate(rng.normal(0, between, draws))
        for seed in range(seeds)
        for _ in range(examples)
    ]
    return pd.DataFrame(rows)


def test_a_nested_interval_with_one_value_per_unit_is_the_bootstrap_of_the_mean():
    values = nested(12, 1, 1, between=1, within=0, rng=np.random.default_rng(2))
    low, high = nested_interval(values, ["draw", "seed"])
    expected = stats.bootstrap(
        (values["value"],), np.mean, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (low, high) == pytest.approx(tuple(expected), abs=0.1)


def test_copies_of_a_unit_do_not_narrow_a_nested_interval():
    """Unlike an interval over all rows: more examples of the same draws are no further evidence on draws."""
    few = nested(8, 1, 5, between=1, within=0, rng=np.random.default_rng(3))
    many = nested(8, 1, 50, between=1, within=0, rng=np.random.default_rng(3))
    width = [np.diff(nested_interval(values, ["draw", "seed"]))[0] for values in (few, many)]
    assert width[1] == pytest.approx(width[0], rel=0.1)
    of_rows = stats.sem(many["value"]) * 2 * 1.96
    assert of_rows < 0.5 * width[1]


def test_a_unit_with_more_values_counts_no_more():
    values = pd.DataFrame({"draw": [0] * 99 + [1], "value": [0.0] * 99 + [1.0]})
    assert nested_interval(values, ["draw"]) == (0, 1)  # means 0, 1/2 and 1 with chances 1/4, 1/2, 1/4
    assert np.isnan(nested_interval(values[values["draw"] == 0], ["draw"])).all()
