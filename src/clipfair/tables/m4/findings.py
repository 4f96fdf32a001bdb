"""The six findings of CLIP the Bias (section 3), checked on trained models."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.tables.common.findings import (
    SIGNED_RANK,
    combine_verdicts,
    compare_runs,
    judge_p_values,
)
from clipfair.tables.common.markdown import markdown_table, number, p_value_text
from clipfair.tables.common.records import check_complete
from clipfair.tables.m4.finding_claims import CONTRASTS, TITLES, Contrast
from clipfair.tables.m4.finding_measures import make_measures
from clipfair.tables.m4.selection import RUN, final

# Fixed before any result was known; docs/m4-results.md gives the reason.
ALPHA = 0.05

FOOT = [
    "",
    "Representation bias is |mean p(man) - p(woman)|; association bias the mean over occupations of "
    "|p(y|man) - p(y|woman)|, averaged over the datasets of people; classification the mean of zero-shot and "
    "10-shot accuracies; retrieval the mean of recall@5 in both directions. All values are of the last "
    "checkpoint, as shares in [0, 1].",
    "",
]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Check each finding on the last checkpoints; runs are matched on model and seed.

    Parameters
    ----------
    records, published
        As in :mod:`clipfair.tables.m4.data_size`.
    settings
        ``clip``: the grids with conditions and schedules; ``siglip``: {grids, without, with}, the grids and
        the two conditions of Tables 2 and 3.

    Returns
    -------
    The table, None, the page. One row per claim: finding, title, claim, statistic, margin, estimate (the mean
    over runs, above -margin if the claim is true), low and high (95%, bootstrap over seeds), test, p_value
    (one-sided: the statistic is above -margin), p_against (it is below), n (runs), seeds, verdict and
    finding_verdict.

    A claim holds if p_value is at most 0.05 and does not hold if p_against is; otherwise, and without runs,
    it is undecided. A finding holds if all its claims do, and does not hold if one does not.

    Raises
    ------
    UserError
        If a run is missing.
    """
    check_complete(records, settings, settings["evaluations"])
    measures = make_measures(final(records), settings)
    table = pd.DataFrame([_check(contrast, measures[contrast.measure]) for contrast in CONTRASTS])
    verdicts = {
        finding: combine_verdicts(list(frame["verdict"]))
        for finding, frame in table.groupby("finding", sort=False)
    }
    table["finding_verdict"] = table["finding"].map(verdicts)
    return table, None, _page(table, settings)


def _check(contrast: Contrast, measure: pd.DataFrame) -> dict:
    try:
        by_run = contrast.compute(measure).dropna().groupby(level=RUN).mean()
    except KeyError:
        # No grid of this study has one of the conditions.
        by_run = pd.Series(dtype=float, index=pd.MultiIndex.from_tuples([], names=RUN))
    claim = contrast.claim
    evidence = compare_runs(by_run, claim.threshold)
    return {
        "finding": claim.finding,
        "title": TITLES[claim.finding],
        "claim": claim.text,
        "statistic": f"{contrast.measure.replace('_', ' ')}: {claim.statistic}",
        "margin": 0.0 - claim.threshold,
        "estimate": evidence.estimate,
        "low": evidence.low,
        "high": evidence.high,
        "test": SIGNED_RANK,
        "p_value": evidence.p_value if evidence.n else np.nan,
        "p_against": evidence.p_against if evidence.n else np.nan,
        "n": evidence.n,
        "seeds": evidence.seeds,
        "verdict": judge_p_values(evidence.p_value, evidence.p_against, ALPHA),
    }


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    lines = [
        "# The six findings of CLIP the Bias, checked",
        "",
        "Each finding is one or more claims about a statistic, fixed before the runs. A claim "
        f"*holds* if an exact one-sided signed-rank test over runs rejects the opposite at {ALPHA:g}, "
        "*does not hold* if it rejects the claim itself, and is *undecided* otherwise: with fewer than "
        "five runs nothing can be decided. A finding holds if all its claims do, and does not hold if one "
        "does not.",
        "",
    ]
    if settings["incomparable"]:
        lines += [f"These results do not apply to the published models: {settings['incomparable']}.", ""]
    summary = table.drop_duplicates("finding")
    rows = [[row.finding, row.title, f"**{row.finding_verdict}**"] for row in summary.itertuples()]
    lines += markdown_table(["", "finding", "verdict"], rows)
    for _, frame in table.groupby("finding", sort=False):
        first = frame.iloc[0]
        lines += ["", f"## {first['finding']}. {first['title']}: {first['finding_verdict']}", ""]
        lines += [_sentence(row) for row in frame.itertuples()]
    return "\n".join([*lines, *FOOT])


def _sentence(row) -> str:
    if row.n == 0:
        return f"- *{row.claim}*: undecided, since this study has no such runs."
    interval = (
        ""
        if pd.isna(row.low)
        else f" (95% over seeds: {number(row.low, sign='+')} to {number(row.high, sign='+')})"
    )
    return (
        f"- *{row.claim}*: **{row.verdict}**. {row.statistic.capitalize()} = {number(row.estimate, sign='+')}"
        f"{interval}, p = {p_value_text(row.p_value)}, {_count(row.n, 'run')} of {_count(row.seeds, 'seed')}."
    )


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"
