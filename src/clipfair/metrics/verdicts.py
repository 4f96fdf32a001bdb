"""Verdicts on claims about differences within units, by the rules of docs/analysis-plan.md.

The sign-flip tests and the tests of equivalence of a family of claims are each corrected by Holm's method.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clipfair.metrics.power import fewest_units, needed_units
from clipfair.metrics.statistics import DECIMALS, equivalence_test, holm, mean_interval, sign_flip_test

EQUIVALENT = "equivalent within the margin"
HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
UNDECIDED = "undecided"


@dataclass(frozen=True)
class ClaimedDifference:
    """A claim about a difference.

    Attributes
    ----------
    differences : one per independent unit, in the order of the units; at least 2.
    expected : the sign of the mean, or that it is equivalent to zero.
    margin : the smallest difference that matters, > 0, in the unit of the differences.
    """

    differences: np.ndarray
    expected: Literal["lower", "higher", "equivalent"]
    margin: float


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim.

    Attributes
    ----------
    text : :data:`HOLDS`, ..., or :data:`UNDECIDED` with the reason.
    mean, low, high : the mean difference and its 95% t interval.
    p_difference, p_equivalence : of the sign-flip test and of TOST, after Holm's correction.
    halves : the means of the first and of the second half of the units.
    """

    text: str
    mean: float
    low: float
    high: float
    p_difference: float
    p_equivalence: float
    halves: tuple[float, float]


def judge_family(claims: Sequence[ClaimedDifference], *, level: float, power: float) -> list[Verdict]:
    """The verdicts on the claims of a family, in their order.

    Parameters
    ----------
    level
        Of the tests after the correction.
    power
        With which the number of units in an undecided verdict finds a difference of the margin's size.
    """
    different = holm([_p_difference(claim.differences) for claim in claims])
    # Without variation TOST is undefined, which decides nothing.
    tests = [equivalence_test(claim.differences, claim.margin).p for claim in claims]
    equivalent = holm(np.nan_to_num(tests, nan=1.0))
    return [
        _judge(claim, p_difference, p_equivalence, level, _missing(claim, len(claims), level, power))
        for claim, p_difference, p_equivalence in zip(claims, different, equivalent, strict=True)
    ]


def _judge(
    claim: ClaimedDifference, p_difference: float, p_equivalence: float, level: float, missing: str
) -> Verdict:
    """The verdict on a claim, by its corrected p-values; ``missing`` is the reason for an undecided one."""
    found = mean_interval(claim.differences)
    middle = len(claim.differences) // 2
    halves = tuple(float(np.mean(part)) for part in np.split(claim.differences, [middle]))
    text = UNDECIDED
    if p_equivalence <= level:
        text = EQUIVALENT
    elif claim.expected == "equivalent":
        beyond = found.low > claim.margin or found.high < -claim.margin
        text = DOES_NOT_HOLD if beyond and _vary(claim.differences) else UNDECIDED
    elif p_difference <= level:
        text = HOLDS if (found.mean < 0) == (claim.expected == "lower") else DOES_NOT_HOLD
    if _disagree(text, halves, claim.margin):
        text = f"{UNDECIDED} (the halves disagree)"
    elif text == UNDECIDED:
        text = f"{UNDECIDED} ({missing})"
    return Verdict(text, found.mean, found.low, found.high, p_difference, p_equivalence, halves)


def _disagree(text: str, halves: tuple[float, float], margin: float) -> bool:
    """Return True if the halves of the units contradict the verdict of all."""
    if text == EQUIVALENT:
        return max(map(abs, halves)) > margin
    return text in (HOLDS, DOES_NOT_HOLD) and halves[0] * halves[1] <= 0


def _missing(claim: ClaimedDifference, claims: int, level: float, power: float) -> str:
    """The units that would decide: enough for the power and for the sign-flip test, at Holm's first step."""
    if not _vary(claim.differences):
        return "no variation between units"
    deviation = float(np.std(claim.differences, ddof=1))
    needed = needed_units(deviation, claim.margin, level / claims, power)
    return f"would need {max(needed, fewest_units(claims, level))} units"


def _p_difference(differences: np.ndarray) -> float:
    """The p-value of the sign-flip test; 1 without variation, since copies of one model are one unit."""
    return sign_flip_test(differences).p_value if _vary(differences) else 1.0


def _vary(differences: np.ndarray) -> bool:
    return bool(np.ptp(np.round(differences, DECIMALS)) > 0)
