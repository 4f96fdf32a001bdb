"""Figure 8 of CLIP the Bias: groups and correlations before and after balancing (Appendix A.2.3)."""

from collections.abc import Mapping, Sequence

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.core.io import read_json
from clipfair.tables.common.markdown import markdown_table, number, percent

VERSIONS = ("before", "after", "sample")
SHARE, CORRELATION = "share", "correlation"
STATISTICS = {"maximum": "correlation_max", "median": "correlation_median"}


def build(audit: str) -> tuple[pd.DataFrame, str]:
    """Every group's share of the examples and its correlations with labels, from the audit of a balancing.

    The constraint sets are those of the audit. The paper has four at once: balance gender, balance
    age, decorrelate gender and occupation, decorrelate gender and age.

    Parameters
    ----------
    audit
        ``audit.json``: under ``groups`` the share of each group, under ``by_attribute`` ``association`` the
        largest and the median absolute Pearson correlation of each attribute of groups and of labels.

    Returns
    -------
    One row per constraint set and item: ``constraints, measure, item, target, before, after, sample``.
    The measure is ``share`` (in [0, 1]; the item is a group) or ``correlation`` (absolute, in [0, 1]; the
    item is ``maximum`` or ``median``, the target 0). ``after`` is weighted, ``sample`` the examples that
    were kept; undefined values are NaN. Then the page.

    Raises
    ------
    UserError
        If the audit has no groups or no measures by attribute.
    """
    audited = read_json(audit)
    if not isinstance(audited, dict) or not audited.get("groups") or "by_attribute" not in audited:
        raise UserError(
            f"{audit}: no groups or no measures by attribute; make the balanced set's audit again"
        )
    rows = _shares(audited["groups"]) + _correlations(audited["by_attribute"]["association"])
    frame = pd.DataFrame(rows, columns=["constraints", "measure", "item", "target", *VERSIONS])
    frame = frame.astype(dict.fromkeys(["target", *VERSIONS], float))
    return frame, _page(frame)


def _shares(groups: Sequence[Mapping]) -> list[tuple]:
    """The shares of the groups, sorted by attribute in order of first occurrence."""
    attributes = [group["group"].partition("=")[0].rpartition(".")[2] for group in groups]
    return [
        (f"balance {attribute}", SHARE, group["group"], group["target"], *map(group.get, VERSIONS))
        for attribute in dict.fromkeys(attributes)
        for group, own in zip(groups, attributes, strict=True)
        if own == attribute
    ]


def _correlations(families: Sequence[Mapping]) -> list[tuple]:
    return [
        (
            f"decorrelate {family['groups']} and {family['labels']}",
            CORRELATION,
            statistic,
            0.0,
            *map(family[name].get, VERSIONS),
        )
        for family in families
        for statistic, name in STATISTICS.items()
    ]


def _page(frame: pd.DataFrame) -> str:
    versions = [version for version in VERSIONS if frame[version].notna().any()]
    shares = [
        [
            row.constraints,
            row.item,
            *(percent(getattr(row, name), decimals=2) for name in ("target", *versions)),
        ]
        for row in frame[frame["measure"] == SHARE].itertuples()
    ]
    correlations = [
        [row.constraints, row.item, *(number(getattr(row, name)) for name in versions)]
        for row in frame[frame["measure"] == CORRELATION].itertuples()
    ]
    lines = [
        "# Figure 8 of CLIP the Bias: groups and correlations before and after balancing",
        "",
        "Share of the examples in each group, in percent: before, with the weights (after), and among the "
        "examples kept (sample).",
        "",
        *markdown_table(
            ["constraints", "group", "target (%)", *(f"{name} (%)" for name in versions)], shares
        ),
    ]
    if correlations:
        lines += [
            "",
            "Absolute Pearson correlation between groups and labels, over all of their pairs.",
            "",
            *markdown_table(["constraints", "over pairs", *versions], correlations),
        ]
    return "\n".join(lines) + "\n"
