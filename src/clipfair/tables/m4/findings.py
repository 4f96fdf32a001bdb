"""The six findings of CLIP the Bias (section 3), judged on trained models."""

from collections.abc import Mapping

import pandas as pd

from clipfair.metrics.verdicts import UNDECIDED
from clipfair.tables.common.findings import (
    Check,
    Claim,
    combine_conclusions,
    conclude,
    describe_power,
    judge_checks,
)
from clipfair.tables.common.markdown import markdown_table, number, p_value_text
from clipfair.tables.common.records import check_complete
from clipfair.tables.m4.finding_claims import CONTRASTS, TITLES, Contrast
from clipfair.tables.m4.finding_measures import make_measures
from clipfair.tables.m4.selection import RUN, final

INTRO = (
    "Each finding is one or more claims about a difference between conditions, with the direction and the "
    "margin of docs/analysis-plan.md (Q7) and its verdicts: the exact sign-flip test for a difference, two "
    "one-sided t tests (TOST) for equivalence within the margin, each with Holm's correction over all "
    "claims; a verdict that the two halves of the seeds contradict is undecided. A seed is one unit: "
    "differences are within seed, model and dataset, and the models of a seed are averaged. A finding holds "
    "if all its claims do, and does not hold if one does not hold or is equivalent within the margin; "
    "VI also holds if its claims are equivalent within the margin, since balancing costs nothing then."
)
FOOT = [
    "",
    "Representation bias is |mean p(man) - p(woman)|; association bias the mean over occupations of "
    "|p(y|man) - p(y|woman)|, averaged over the datasets of people, both in [0, 1]; classification the mean "
    "of zero-shot and 10-shot accuracies, retrieval the mean of recall@5 in both directions, in percentage "
    "points. "
    "All values are of the last checkpoint.",
    "",
]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Judge each finding on the last checkpoints; conditions are matched on model and seed.

    Parameters
    ----------
    records, published
        As in :mod:`clipfair.tables.m4.data_size`.
    settings
        ``clip``: the grids with conditions and schedules; ``siglip``: {grids, without, with}, the grids and
        the two conditions of Tables 2 and 3.

    Returns
    -------
    The table, None, the page. One row per claim: finding, title, id, claim, statistic, the columns of
    :func:`~clipfair.tables.common.findings.judge_checks` and finding_verdict. A claim without runs is
    undecided.

    Raises
    ------
    UserError
        If a run is missing.
    """
    check_complete(records, settings, settings["evaluations"])
    measures = make_measures(final(records), settings)
    rows = pd.DataFrame([_name(contrast) for contrast in CONTRASTS])
    checks = [
        Check(_claim(contrast), _by_seed(contrast, measures[contrast.measure])) for contrast in CONTRASTS
    ]
    table = pd.concat([rows, judge_checks(checks)], axis=1)
    conclusions = [
        conclude(row.verdict, or_equivalent=contrast.or_equivalent)
        for contrast, row in zip(CONTRASTS, table.itertuples(), strict=True)
    ]
    by_finding = pd.Series(conclusions).groupby(table["finding"]).agg(list).map(combine_conclusions)
    table["finding_verdict"] = table["finding"].map(by_finding)
    return table, None, _page(table, settings)


def _name(contrast: Contrast) -> dict:
    planned, measure = contrast.planned, contrast.measure.removeprefix("siglip_")
    return {
        "finding": contrast.finding,
        "title": TITLES[contrast.finding],
        "id": contrast.id,
        "claim": contrast.text,
        "statistic": f"{measure}: {planned.of} less {planned.less}",
    }


def _claim(contrast: Contrast) -> Claim:
    planned = contrast.planned
    return Claim(contrast.finding, contrast.text, contrast.measure, planned.expected, planned.margin)


def _by_seed(contrast: Contrast, measure: pd.DataFrame) -> pd.Series:
    """The contrast by seed: the mean over its models of the mean over evaluations and metrics."""
    try:
        contrasts = contrast.compute(measure).dropna()
    except KeyError:
        # No grid of this study has one of the conditions.
        return pd.Series(dtype=float)
    return contrasts.groupby(level=RUN).mean().groupby(level="seed").mean()


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    lines = ["# The six findings of CLIP the Bias", "", INTRO, "", describe_power(table), ""]
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
        return f"- *{row.claim}*: {UNDECIDED}, since this study has no such runs."
    interval = (
        ""
        if pd.isna(row.low)
        else f" (95%: {number(row.low, sign='+')} to {number(row.high, sign='+')}), "
        f"p = {p_value_text(row.p_difference)} for a difference, "
        f"{p_value_text(row.p_equivalence)} for equivalence"
    )
    return (
        f"- *{row.claim}*: **{row.verdict}**. {row.statistic}: {number(row.mean, sign='+')}"
        f"{interval}; expected {row.expected}, margin {row.margin:g}, "
        f"{row.n} seed{'s' * (row.n != 1)}."
    )
