"""The conclusions of the FairCLIP reproduction as claims with statistic, interval and verdict."""

from collections.abc import Iterator, Mapping

import pandas as pd

from clipfair.metrics.verdicts import HOLDS, UNDECIDED
from clipfair.tables.common.findings import Check, conclude, describe_power, judge_checks
from clipfair.tables.common.markdown import estimate_with_interval, markdown_table, number
from clipfair.tables.fairclip.correlation_findings import check_correlations
from clipfair.tables.fairclip.distance_findings import check_convergence, check_distances, check_spread
from clipfair.tables.fairclip.metric_findings import (
    check_gains,
    check_mmd,
    check_noise,
    check_selection,
    check_several_attributes,
)
from clipfair.tables.fairclip.roles import Roles
from clipfair.tables.fairclip.selection import check_single, final_values
from clipfair.tables.fairclip.summary import encoder_name

# The findings whose claims the reproduction rejects: gains, a relation, an effect above noise, convergence.
REJECTED = ("F2", "F5", "F8", "F9")

INTRO = (
    "Each row is a claim about the mean of a statistic over seeds: that it is lower or higher than zero, or "
    "equivalent to zero within the margin. Verdicts are those of docs/analysis-plan.md: the exact sign-flip "
    "test for a difference, two one-sided t tests (TOST) for equivalence, each with Holm's correction over "
    "all rows; a claim of equivalence does not hold where its whole 95% interval lies beyond the margin; a "
    "verdict that the two halves of the seeds contradict is undecided. A seed is one unit: its models are "
    "averaged first, and methods of one seed share their batches. The last column compares with the "
    "reproduction, which rejects the claims of F2, F5, F8 and F9 and supports the others (F3, F4 and F7 "
    "follow from the released code). A claim of a difference that is equivalent within the margin counts as "
    "rejected."
)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, None, str]:
    """Judge every finding for which the settings name the methods.

    Settings: ``encoders``, ``evaluation`` (:mod:`~.selection`), ``baselines`` and ``roles``
    (:class:`~.roles.Roles`, with ``selection`` among them). A finding without its methods is omitted.

    Returns
    -------
    One row per claim: finding, encoder, claim, methods, statistic, the columns of
    :func:`~clipfair.tables.common.findings.judge_checks`, and agrees: the claim has the reproduction's
    conclusion (yes, no, undecided); None; and the page.
    """
    roles = Roles.from_settings(settings["roles"], settings.get("baselines", {}))
    settings = {**settings, "rows": {method: {"name": method} for method in roles.all_methods()}}
    values = final_values(records, settings, "group_fairness")
    check_single(values, settings)
    named = [
        (encoder_name(model, settings), check)
        for model, of_model in values.groupby("model", sort=False)
        for check in _checks(of_model, roles.among(set(of_model["method"])))
    ]
    rows = pd.DataFrame([_name(check, encoder) for encoder, check in named])
    table = pd.concat([rows, judge_checks([check for _, check in named])], axis=1)
    table["agrees"] = [_agrees(row.finding, row.verdict, row.expected) for row in table.itertuples()]
    return table, None, _page(table, settings)


def _checks(values: pd.DataFrame, roles: Roles) -> Iterator[Check]:
    yield from check_distances(values, roles)
    yield from check_gains(values, roles)
    yield from check_spread(values, roles)
    yield from check_mmd(values, roles)
    yield from check_correlations(values, roles)
    yield from check_several_attributes(values, roles)
    yield from check_selection(values, roles)
    yield from check_noise(values, roles)
    yield from check_convergence(values, roles)


def _name(check: Check, encoder: str) -> dict:
    claim = check.claim
    return {
        "finding": claim.finding,
        "encoder": encoder,
        "claim": claim.text,
        "methods": check.methods,
        "statistic": claim.statistic,
    }


def _agrees(finding: str, verdict: str, expected: str) -> str:
    found = conclude(verdict, or_equivalent=expected == "equivalent")
    if found == UNDECIDED:
        return UNDECIDED
    return "yes" if (found == HOLDS) == (finding not in REJECTED) else "no"


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    lines = ["# Findings of the FairCLIP reproduction", "", INTRO, "", describe_power(table)]
    if settings["incomparable"]:
        lines += ["", f"**These findings are about {settings['incomparable']}, not the papers' models.**"]
    lines += ["", *_counts(table)]
    head = ["", "claim", "methods", "statistic", "mean [95%]", "seeds", "expected", "p (difference)"]
    head += ["p (equivalence)", "verdict", "as the reproduction"]
    for encoder, part in table.groupby("encoder", sort=False):
        rows = [
            [
                *(row.finding, row.claim, row.methods, row.statistic),
                *(estimate_with_interval(row.mean, row.low, row.high), str(row.n)),
                f"{row.expected}, margin {row.margin:.3g}",
                *(number(row.p_difference), number(row.p_equivalence)),
                *(f"**{row.verdict}**", row.agrees),
            ]
            for row in part.itertuples()
        ]
        lines += ["", f"## {encoder}", "", *markdown_table(head, rows)]
    return "\n".join(lines) + "\n"


def _counts(table: pd.DataFrame) -> list[str]:
    """The number of claims of each finding by whether they agree with the reproduction."""
    kinds = ["yes", "no", UNDECIDED]
    rows = [
        [finding, *(str(int((part["agrees"] == kind).sum())) for kind in kinds)]
        for finding, part in table.groupby("finding", sort=False)
    ]
    return markdown_table(["finding", "claims that agree", "that contradict", "undecided"], rows)
