"""The conclusions of the FairCLIP reproduction as checks with statistic, interval and verdict.

Every threshold was fixed before any run was evaluated. The verdict is of the whole 95% interval: on the
claimed side of the threshold the claim holds, on the other side it does not, across it it is undecided.
"""

from collections.abc import Iterator, Mapping

import pandas as pd

from clipfair.tables.common.findings import Check, add_holm
from clipfair.tables.common.markdown import estimate_with_interval, markdown_table, number
from clipfair.tables.fairclip.distance_findings import check_convergence, check_distances, check_spread
from clipfair.tables.fairclip.epoch_findings import check_correlations
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

INTRO = (
    "Each row is a conclusion of the reproduction (or a consequence of its code), a statistic, and the "
    "verdict of its 95% interval against a threshold; statistic and threshold were fixed beforehand. The "
    "claim holds where the whole interval lies on its side, does not hold where it lies on the other side, "
    "and is undecided otherwise. Seeds are the units: paired runs share their batches. p is two-sided, for a "
    "statistic of zero, adjusted by Holm over all rows; verdicts depend on the intervals alone. With three "
    "seeds an interval extends 2.5 standard deviations to each side, so small effects are undecided."
)


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, None, str]:
    """Check every finding for which the settings name the methods.

    Settings: ``encoders``, ``evaluation`` (:mod:`~.selection`), ``epochs`` (where tracked), ``baselines``
    and ``roles`` (:class:`~.roles.Roles`, with ``selection`` among them). A finding without its methods is
    omitted.

    Returns
    -------
    One row per check: finding, encoder, claim, methods, statistic, value, low, high, test, n, p, p_holm,
    side, threshold, verdict (holds, does not hold, undecided); None; and the page.
    """
    roles = Roles.from_settings(settings["roles"], settings.get("baselines", {}))
    settings = {**settings, "rows": {method: {"name": method} for method in roles.all_methods()}}
    values = final_values(records, settings, "group_fairness")
    check_single(values, settings)
    rows = [
        _row(check, encoder_name(model, settings))
        for model, of_model in values.groupby("model", sort=False)
        for check in _checks(model, of_model, roles.among(set(of_model["method"])), settings)
    ]
    table = add_holm(pd.DataFrame(rows))
    return table, None, _page(table, settings)


def _checks(model: str, values: pd.DataFrame, roles: Roles, settings: Mapping) -> Iterator[Check]:
    yield from check_distances(values, roles)
    yield from check_gains(values, roles)
    yield from check_spread(values, roles)
    yield from check_mmd(values, roles)
    yield from check_correlations(model, roles, settings)
    yield from check_several_attributes(values, roles)
    yield from check_selection(values, roles)
    yield from check_noise(values, roles)
    yield from check_convergence(values, roles)


def _row(check: Check, encoder: str) -> dict:
    claim, interval = check.claim, check.interval
    return {
        "finding": claim.finding,
        "encoder": encoder,
        "claim": claim.text,
        "methods": check.methods,
        "statistic": claim.statistic,
        "value": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "test": check.test,
        "n": interval.n,
        "p": interval.p,
        "side": claim.side,
        "threshold": claim.threshold,
        "verdict": check.verdict,
    }


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    lines = ["# Findings of the FairCLIP reproduction", "", INTRO]
    if settings["incomparable"]:
        lines += ["", f"**These findings are about {settings['incomparable']}, not the papers' models.**"]
    head = ["", "claim", "methods", "statistic", "value [95%]", "n", "p (Holm)", "threshold", "verdict"]
    for encoder, part in table.groupby("encoder", sort=False):
        rows = [
            [
                *(row.finding, row.claim, row.methods, row.statistic),
                *(estimate_with_interval(row.value, row.low, row.high), str(row.n), number(row.p_holm)),
                *(f"{row.side} {row.threshold:.3g}", f"**{row.verdict}**"),
            ]
            for row in part.itertuples()
        ]
        lines += ["", f"## {encoder}", "", *markdown_table(head, rows)]
    return "\n".join(lines) + "\n"
