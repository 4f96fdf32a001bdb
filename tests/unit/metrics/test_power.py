"""Power of paired tests: published sample sizes, and simulated trials."""

import numpy as np
import pytest
from scipy import stats

from clipfair.metrics.power import (
    difference_power,
    equivalence_power,
    fewest_units,
    needed_units,
    smallest_effect,
)
from clipfair.metrics.statistics import sign_flip_test


@pytest.mark.parametrize(("effect", "units"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_cohens_effects_need_the_units_of_his_tables(effect, units):
    """A paired t test at 0.05, two-sided, with a power of 0.8 (Cohen 1988; the values of G*Power)."""
    assert needed_units(1, effect, 0.05, 0.8) == units
    assert needed_units(3, -3 * effect, 0.05, 0.8) == units


def test_the_smallest_effect_has_the_asked_power_and_scales_with_the_deviation():
    found = smallest_effect(2.0, 16, 0.01, 0.8)
    assert difference_power(found, 2.0, 16, 0.01) == pytest.approx(0.8)
    assert smallest_effect(4.0, 16, 0.01, 0.8) == pytest.approx(2 * found)
    assert needed_units(2.0, found * 1.0001, 0.01, 0.8) == 16


def test_powers_are_those_of_simulated_trials():
    n, level, margin = 10, 0.05, 1.2
    values = np.random.default_rng(0).normal(0.0, 1.0, size=(40_000, n))
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(n)
    found = np.abs(mean) + stats.t.ppf(1 - level, n - 1) * error < margin
    assert equivalence_power(1.0, n, margin, level) == pytest.approx(found.mean(), abs=0.01)
    shifted = (mean + 0.8) / error > stats.t.ppf(1 - level / 2, n - 1)
    assert difference_power(0.8, 1.0, n, level) == pytest.approx(shifted.mean(), abs=0.01)


def test_a_margin_within_the_noise_is_never_reached():
    assert equivalence_power(10.0, 5, 1.0, 0.05) < 0.01
    assert equivalence_power(1.0, 100, 1.0, 0.05) > 0.99


def test_an_effect_of_zero_needs_no_number():
    with pytest.raises(ValueError, match="effect of zero"):
        needed_units(1, 0, 0.05, 0.8)


@pytest.mark.parametrize("claims", [1, 6, 28, 66])
def test_the_fewest_units_are_the_first_whose_smallest_p_value_survives_holm(claims):
    n = fewest_units(claims, 0.05)
    smallest = [sign_flip_test(np.arange(1, units + 1)).p_value for units in (n - 1, n)]
    assert claims * smallest[0] > 0.05 >= claims * smallest[1]
