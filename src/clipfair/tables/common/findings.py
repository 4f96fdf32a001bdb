"""Claims about the mean of a statistic over independent units, and their verdicts as rows of a table.

The tests are those of docs/analysis-plan.md (:mod:`clipfair.metrics.verdicts`); the claims of one table are
one family.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd

from clipfair.metrics.power import fewest_units
from clipfair.metrics.verdicts import (
    DOES_NOT_HOLD,
    EQUIVALENT,
    HOLDS,
    UNDECIDED,
    ClaimedDifference,
    judge_family,
)
from clipfair.plan.analysis_plan import read_analysis_plan

Expected = Literal["lower", "higher", "equivalent"]

# All differences are exactly zero, as between trainings that do the same.
IDENTICAL = "identical in every unit"


@dataclass(frozen=True)
class Claim:
    """A claim about the mean of a statistic over units.

    Attributes
    ----------
    finding : the id of the finding that the claim belongs to.
    text : the claim in words.
    statistic : the definition of the statistic in words.
    expected : the sign of the mean, or that it is equivalent to zero.
    margin : the smallest value that matters, > 0, in the unit of the statistic.
    """

    finding: str
    text: str
    statistic: str
    expected: Expected
    margin: float


@dataclass(frozen=True)
class Check:
    """A claim with its evidence.

    Attributes
    ----------
    values : the statistic, one value per unit; the index orders the units. NaN where it is undefined.
    methods : the methods that the claim compares.
    """

    claim: Claim
    values: pd.Series
    methods: str = ""


def judge_checks(checks: Sequence[Check]) -> pd.DataFrame:
    """Judge claims as one family.

    Returns
    -------
    One row per claim, in their order: ``expected`` and ``margin``; ``mean``, over units, with ``low``
    and ``high``, its 95% t interval; ``n``, the units; ``p_difference`` (sign-flip test) and
    ``p_equivalence`` (TOST), both after Holm's correction over the claims with two units or more;
    ``first_half`` and ``second_half``, the means over the halves of the units; ``verdict``, one of the
    analysis plan, or :data:`IDENTICAL`. What is undefined is NaN.
    """
    plan = read_analysis_plan()
    values = [check.values.dropna().sort_index().to_numpy(dtype=float) for check in checks]
    tested = [place for place, differences in enumerate(values) if len(differences) > 1]
    family = [
        ClaimedDifference(values[place], checks[place].claim.expected, checks[place].claim.margin)
        for place in tested
    ]
    judged = dict(zip(tested, judge_family(family, level=plan.level, power=plan.power), strict=True))
    rows = []
    for place, (check, differences) in enumerate(zip(checks, values, strict=True)):
        row = {"expected": check.claim.expected, "margin": check.claim.margin}
        row |= _untested(differences) if place not in judged else _row(asdict(judged[place]))
        if check.claim.expected == "equivalent" and len(differences) > 1 and not differences.any():
            row["verdict"] = IDENTICAL
        rows.append(row | {"n": len(differences)})
    columns = ["expected", "margin", "mean", "low", "high", "n", "p_difference", "p_equivalence"]
    return pd.DataFrame(rows, columns=[*columns, "first_half", "second_half", "verdict"])


def _row(found: dict) -> dict:
    first, second = found.pop("halves")
    return {**found, "first_half": first, "second_half": second, "verdict": found.pop("text")}


def _untested(differences: np.ndarray) -> dict:
    if not len(differences):
        return {"verdict": f"{UNDECIDED} (no units)"}
    return {"mean": float(differences[0]), "verdict": f"{UNDECIDED} (one unit)"}


def conclude(verdict: str, *, or_equivalent: bool = False) -> str:
    """The conclusion that a verdict gives: the claim holds, does not hold or is undecided.

    Parameters
    ----------
    or_equivalent
        The claim holds also within the margin, as a claim of equivalence does; otherwise a difference within
        the margin is none in the claimed direction.
    """
    if verdict.startswith(UNDECIDED):
        return UNDECIDED
    if verdict in (EQUIVALENT, IDENTICAL):
        return HOLDS if or_equivalent else DOES_NOT_HOLD
    return verdict


def combine_conclusions(conclusions: Collection[str]) -> str:
    """A finding holds if all of its claims do, and does not hold if one of them does not."""
    if DOES_NOT_HOLD in conclusions:
        return DOES_NOT_HOLD
    return HOLDS if set(conclusions) == {HOLDS} else UNDECIDED


def describe_power(table: pd.DataFrame) -> str:
    """Sentences on the smallest p-value that the units of a table of :func:`judge_checks` can give."""
    n, claims = int(table["n"].max()), int((table["n"] > 1).sum())
    if not claims:
        return "No claim has two units, so none is tested."
    level = read_analysis_plan().level
    needed = fewest_units(claims, level)
    return (
        f"With {n} units no p-value of the sign-flip test is below {2.0 ** (1 - n):.2g}; after Holm's "
        f"correction over {claims} claims the first can be significant at {level:g} with {needed} units."
    )
