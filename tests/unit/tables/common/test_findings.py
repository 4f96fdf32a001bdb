"""Verdicts of intervals, p-values and single values."""

import numpy as np
import pandas as pd
import pytest

from clipfair.metrics.statistics import MeanInterval, seed_interval, signed_rank
from clipfair.tables.common.findings import (
    Claim,
    check_interval,
    check_value,
    combine_verdicts,
    compare_runs,
    judge_interval,
    judge_p_values,
)


@pytest.mark.parametrize(
    ("low", "high", "side", "verdict"),
    [
        (1, 2, "above", "holds"),
        (1, 2, "below", "does not hold"),
        (-2, -1, "below", "holds"),
        (-2, -1, "above", "does not hold"),
        (-1, 1, "above", "undecided"),
        (-1, 1, "below", "undecided"),
        (np.nan, np.nan, "above", "undecided"),
    ],
)
def test_the_verdict_of_an_interval_is_of_the_whole_interval(low, high, side, verdict):
    assert judge_interval(low, high, 0.0, side) == verdict
    claim = Claim("F0", "text", "statistic", 0.0, side)
    check = check_interval(claim, MeanInterval(0.0, low, high, 3, 0.5), test="t", methods="a")
    assert check.verdict == verdict


@pytest.mark.parametrize(
    ("p_value", "p_against", "verdict"),
    [(0.05, 0.99, "holds"), (0.99, 0.05, "does not hold"), (0.06, 0.9, "undecided"), (1, 1, "undecided")],
)
def test_the_verdict_of_two_one_sided_tests(p_value, p_against, verdict):
    assert judge_p_values(p_value, p_against, 0.05) == verdict


@pytest.mark.parametrize(
    ("value", "side", "verdict"),
    [
        (0.6, "above", "holds"),
        (0.5, "above", "does not hold"),
        (0.4, "below", "holds"),
        (0.5, "below", "does not hold"),
        (np.nan, "below", "undecided"),
    ],
)
def test_a_single_value_must_be_beyond_the_threshold(value, side, verdict):
    check = check_value(Claim("F0", "text", "statistic", 0.5, side), value, 4, test="count", methods="a")
    assert (check.verdict, check.interval.n) == (verdict, 4)
    assert np.isnan(check.interval.low)


def test_a_finding_holds_if_all_its_claims_do_and_fails_with_one():
    holds, fails, undecided = "holds", "does not hold", "undecided"
    assert combine_verdicts([holds, holds]) == holds
    assert combine_verdicts([holds, undecided]) == undecided
    assert combine_verdicts([undecided, fails, holds]) == fails


def test_runs_are_compared_with_a_threshold_by_signed_ranks():
    index = pd.MultiIndex.from_product([["a", "b"], range(4)], names=["model", "seed"])
    values = pd.Series(np.linspace(0.1, 0.8, 8), index=index)
    found = compare_runs(values, 0.25)
    assert found.estimate == pytest.approx(0.45)
    assert (found.n, found.seeds) == (8, 4)
    assert (found.low, found.high) == seed_interval(values, index.get_level_values("seed"))
    assert found.p_value == signed_rank(values - 0.25, alternative="greater").p_value
    assert found.p_against == signed_rank(values - 0.25, alternative="less").p_value
