"""The rules of the analysis plan, one by one, on differences whose tests are known."""

import numpy as np
import pytest

from clipfair.metrics.power import difference_power
from clipfair.metrics.verdicts import ClaimedDifference, judge_family

UNITS = 16


def differences(mean, deviation):
    """Units whose mean and standard deviation are exactly these; both halves are alike."""
    scores = np.tile([-1.5, -0.5, 0.5, 1.5], UNITS // 4)
    return mean + deviation * scores / scores.std(ddof=1)


def judge(*claims):
    family = [ClaimedDifference(values, expected, margin) for values, expected, margin in claims]
    return judge_family(family, level=0.05, power=0.8)


@pytest.mark.parametrize(
    ("mean", "expected", "verdict"),
    [
        (-6, "lower", "holds"),
        (-6, "higher", "does not hold"),
        (6, "higher", "holds"),
        (6, "lower", "does not hold"),
        (0, "lower", "equivalent within the margin"),
        (-1, "lower", "equivalent within the margin"),  # also if it is not zero
        (0.5, "equivalent", "equivalent within the margin"),
        (6, "equivalent", "does not hold"),
        (-6, "equivalent", "does not hold"),
    ],
)
def test_a_clear_difference_is_decided(mean, expected, verdict):
    [found] = judge((differences(mean, 1), expected, 3))
    assert found.text == verdict
    assert found.mean == pytest.approx(mean)
    assert found.low < mean < found.high


def test_an_undecided_claim_names_the_units_that_find_the_margin():
    [found] = judge((differences(-2, 8), "lower", 3))
    n = int(found.text.removeprefix("undecided (would need ").removesuffix(" units)"))
    assert difference_power(3, 8, n, 0.05) >= 0.8 > difference_power(3, 8, n - 1, 0.05)
    assert n > UNITS


def test_the_units_that_are_missing_are_those_of_the_corrected_tests():
    """A small deviation needs few units for the power, but the sign-flip test of four claims needs eight."""
    found = judge(*[(np.array([2.0, 2.1, 2.2]), "lower", 2)] * 4)
    assert {verdict.text for verdict in found} == {"undecided (would need 8 units)"}
    [wide, *_] = judge(*[(differences(-2, 8), "lower", 3)] * 4)
    n = int(wide.text.removeprefix("undecided (would need ").removesuffix(" units)"))
    assert difference_power(3, 8, n, 0.05 / 4) >= 0.8 > difference_power(3, 8, n - 1, 0.05 / 4)


def test_an_interval_that_touches_the_margin_leaves_a_claim_of_equivalence_undecided():
    assert judge((differences(3.2, 2), "equivalent", 3))[0].text.startswith("undecided (would need")


def test_the_correction_is_within_the_family():
    """A p-value of about 0.03 alone, and among four claims that decide nothing."""
    values, noise = differences(1.1, 1.9), differences(0.4, 40)
    alone = judge((values, "higher", 1))[0]
    among = judge((values, "higher", 1), *[(noise, "higher", 1)] * 4)[0]
    assert alone.p_difference < 0.05 < among.p_difference == pytest.approx(5 * alone.p_difference)
    assert alone.text == "holds"
    assert among.text.startswith("undecided")


def test_halves_that_disagree_leave_a_claim_undecided():
    values = np.concatenate([np.full(8, -9.0), np.full(8, 0.1)]) + np.tile([-0.05, 0.05], 8)
    [found] = judge((values, "lower", 3))
    assert found.p_difference < 0.05
    assert found.halves == pytest.approx((-9, 0.1))
    assert found.text == "undecided (the halves disagree)"


def test_differences_without_variation():
    assert judge((np.zeros(UNITS), "lower", 3))[0].text == "undecided (no variation between units)"


@pytest.mark.parametrize("expected", ["lower", "higher", "equivalent"])
def test_equal_differences_are_copies_of_one_unit(expected):
    """Sixteen equal values would have a p-value of 2^-15 if they counted as independent."""
    [found] = judge((np.full(UNITS, -6.0), expected, 3))
    assert found.text == "undecided (no variation between units)"
    assert found.p_difference == 1
