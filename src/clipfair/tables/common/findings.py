"""Checks of findings: a claim about a statistic, the evidence, and a verdict by a fixed rule."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from clipfair.metrics.statistics import MeanInterval, holm, seed_interval, signed_rank

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
ABOVE, BELOW = "above", "below"

SIGNED_RANK = "Wilcoxon signed-rank, one-sided, exact"


@dataclass(frozen=True)
class Claim:
    """A claim that a statistic lies above (or below) a threshold, fixed before any result was known.

    Attributes
    ----------
    finding
        The id of the finding that the claim belongs to.
    text
        The claim in words.
    statistic
        The definition of the statistic in words.
    """

    finding: str
    text: str
    statistic: str
    threshold: float = 0.0
    side: str = ABOVE


@dataclass(frozen=True)
class Check:
    """A claim with its evidence and verdict.

    Attributes
    ----------
    interval
        The statistic with its 95% interval, number of observations and two-sided p-value; NaN where a test
        gives none.
    test
        The name of the test, or the meaning of the interval.
    methods
        The methods that the claim compares.
    """

    claim: Claim
    interval: MeanInterval
    test: str
    verdict: str
    methods: str = ""


class RunEvidence(NamedTuple):
    """The mean over runs with its bootstrap interval over seeds and exact one-sided signed-rank tests.

    ``p_value`` is of the hypothesis that the values are not above the threshold, ``p_against`` of the
    hypothesis that they are not below it.
    """

    estimate: float
    low: float
    high: float
    n: int
    seeds: int
    p_value: float
    p_against: float


def compare_runs(values: pd.Series, threshold: float = 0.0) -> RunEvidence:
    """Test whether values, one per run, lie above or below a threshold.

    Parameters
    ----------
    values
        (n,) without NaN; ``seed`` is a level of the index.
    """
    seeds = values.index.get_level_values("seed")
    low, high = seed_interval(values, seeds)
    above, below = (
        signed_rank(values - threshold, alternative=alternative).p_value
        for alternative in ("greater", "less")
    )
    return RunEvidence(values.mean(), low, high, len(values), len(set(seeds)), above, below)


def judge_interval(low: float, high: float, threshold: float, side: str) -> str:
    """The verdict of an interval: it must lie as a whole on one side of the threshold."""
    above, below = low > threshold, high < threshold
    if not above and not below:
        return UNDECIDED
    return HOLDS if above == (side == ABOVE) else FAILS


def judge_p_values(p_value: float, p_against: float, level: float) -> str:
    """The verdict of two one-sided tests, for the claim and for its opposite."""
    return HOLDS if p_value <= level else FAILS if p_against <= level else UNDECIDED


def judge_value(value: float, threshold: float, side: str) -> str:
    """The verdict of a single value without an interval."""
    if np.isnan(value):
        return UNDECIDED
    return HOLDS if (value > threshold if side == ABOVE else value < threshold) else FAILS


def add_holm(table: pd.DataFrame) -> pd.DataFrame:
    """Add a column p_holm: the p-values of the column p, adjusted by Holm over the rows that have one."""
    tested = table["p"].notna()
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"])
    return table


def combine_verdicts(verdicts: Collection[str]) -> str:
    """The verdict of a finding: all its claims must hold, and one that fails is enough for it to fail.

    No correction for several tests is needed, since each is tested at the level.
    """
    if FAILS in verdicts:
        return FAILS
    return UNDECIDED if UNDECIDED in verdicts else HOLDS


def check_interval(
    claim: Claim, interval: MeanInterval, *, test: str, methods: str, verdict: str | None = None
) -> Check:
    """Check a claim by the interval of its statistic, unless ``verdict`` gives the result of another rule."""
    judged = judge_interval(interval.low, interval.high, claim.threshold, claim.side)
    return Check(claim, interval, test, verdict or judged, methods)


def check_value(claim: Claim, value: float, n: int, *, test: str, methods: str) -> Check:
    """Check a claim by a single value, of ``n`` observations, that has no interval."""
    interval = MeanInterval(value, np.nan, np.nan, n, np.nan)
    return Check(claim, interval, test, judge_value(value, claim.threshold, claim.side), methods)
