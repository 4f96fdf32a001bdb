"""Claims judged as one family, and what follows from their verdicts."""

import numpy as np
import pandas as pd
import pytest

from clipfair.metrics.statistics import equivalence_test, mean_interval, sign_flip_test
from clipfair.tables.common.findings import (
    Check,
    Claim,
    combine_conclusions,
    conclude,
    describe_power,
    judge_checks,
)

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
EQUIVALENT, IDENTICAL = "equivalent within the margin", "identical in every unit"


def check(values, expected="higher", margin=1.0, units=None):
    series = pd.Series(values, index=range(len(values)) if units is None else units, dtype=float)
    return Check(Claim("F0", "text", "statistic", expected, margin), series)


def around(mean, n=12):
    """Values with this mean, half of each half above it."""
    return mean + 0.2 * np.tile([-1.0, 1.0], n // 2)


@pytest.mark.parametrize(
    ("values", "expected", "verdict"),
    [
        (around(3), "higher", HOLDS),
        (around(3), "lower", FAILS),
        (around(0.1), "higher", EQUIVALENT),
        (around(0.1), "equivalent", EQUIVALENT),
        (around(3), "equivalent", FAILS),
        (np.zeros(12), "equivalent", IDENTICAL),
        (np.zeros(12), "higher", "undecided (no variation between units)"),
        ([], "higher", "undecided (no units)"),
        ([3.0], "higher", "undecided (one unit)"),
        ([0.0], "equivalent", "undecided (one unit)"),
    ],
)
def test_each_verdict(values, expected, verdict):
    assert judge_checks([check(values, expected)])["verdict"].tolist() == [verdict]


def test_copies_of_one_model_decide_nothing():
    """Equal values are one unit, however many seeds name them."""
    copies = [check(np.full(20, 5.0), expected) for expected in ("higher", "lower", "equivalent")]
    table = judge_checks(copies)
    assert set(table["verdict"]) == {"undecided (no variation between units)"}
    assert (table["p_difference"] == 1).all()


def test_three_units_cannot_show_a_difference():
    [found] = judge_checks([check([9.0, 9.1, 9.2])]).itertuples()
    assert found.p_difference == 0.25
    assert found.verdict.startswith("undecided (would need ")


def test_the_numbers_of_a_row_are_those_of_its_tests():
    values = np.array([1.0, 3.0, 2.5, 4.0, 0.5, 2.0])
    [found] = judge_checks([check(values, margin=2.5)]).itertuples()
    interval = mean_interval(values)
    assert (found.mean, found.low, found.high, found.n) == interval[:4]
    assert found.p_difference == sign_flip_test(values).p_value
    assert found.p_equivalence == equivalence_test(values, 2.5).p
    assert (found.first_half, found.second_half) == pytest.approx((6.5 / 3, 6.5 / 3))


def test_units_are_ordered_and_undefined_ones_left_out():
    series = check([8.0, np.nan, 1.0, 2.0, 6.0], units=[4, 3, 0, 1, 2])
    [found] = judge_checks([series]).itertuples()
    assert found.n == 4
    assert (found.first_half, found.second_half) == (1.5, 7)


def test_the_correction_is_over_the_claims_that_can_be_tested():
    tested = [check(around(3, 8)), check(around(3, 8))]
    alone, among = judge_checks(tested), judge_checks([*tested, check([]), check([1.0])])
    pd.testing.assert_series_equal(alone["p_difference"], among["p_difference"].head(2))
    assert alone["p_difference"].tolist() == [2 * 2**-7] * 2


@pytest.mark.parametrize(
    ("verdict", "or_equivalent", "conclusion"),
    [
        (HOLDS, False, HOLDS),
        (FAILS, False, FAILS),
        (FAILS, True, FAILS),
        (EQUIVALENT, False, FAILS),
        (EQUIVALENT, True, HOLDS),
        (IDENTICAL, True, HOLDS),
        ("undecided (the halves disagree)", True, UNDECIDED),
        ("undecided (would need 40 units)", False, UNDECIDED),
    ],
)
def test_a_difference_within_the_margin_is_none_in_the_claimed_direction(verdict, or_equivalent, conclusion):
    assert conclude(verdict, or_equivalent=or_equivalent) == conclusion


def test_a_finding_holds_if_all_its_claims_do_and_fails_with_one():
    assert combine_conclusions([HOLDS, HOLDS]) == HOLDS
    assert combine_conclusions([HOLDS, UNDECIDED]) == UNDECIDED
    assert combine_conclusions([UNDECIDED, FAILS, HOLDS]) == FAILS


@pytest.mark.parametrize("claims", [1, 8, 66])
def test_the_stated_number_of_units_is_the_first_that_can_be_significant(claims):
    text = describe_power(judge_checks([check(around(3, 4))] * claims))
    assert "With 4 units no p-value of the sign-flip test is below 0.12" in text
    needed = int(text.split("with ")[1].split(" units")[0])
    for units in (needed, needed - 1):
        found = judge_checks([check(3 + 0.1 * np.arange(units))] * claims)["verdict"]
        assert (found == HOLDS).all() == (units == needed)


def test_a_table_without_two_units_says_so():
    assert (
        describe_power(judge_checks([check([1.0]), check([])]))
        == "No claim has two units, so none is tested."
    )
