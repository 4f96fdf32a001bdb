"""The distribution of the sensitive attributes in each split, and the share of the label by group."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.common.markdown import percent
from clipfair.tables.fairclip.cohorts import UNKNOWN, Cohort, count_cohorts

INTRO = (
    "Examples by group and split, their share of the split, and the share of them with the label "
    "({label}), among the examples that the papers use; unknown groups are in the training split only."
)


def build(tables: Mapping[str, str]) -> tuple[pd.DataFrame, str]:
    """Count the groups of every attribute in every split.

    Parameters
    ----------
    tables
        Dataset -> its prepared table.

    Returns
    -------
    One row per dataset, split, attribute and group (``unknown`` last): ``n``, ``share`` of the split,
    ``positive`` (share with the label, NaN for an empty group), ``label``; and the page.
    """
    return count_cohorts(tables, _count, title="Attributes by split", intro=INTRO, show=_show)


def _count(cohort: Cohort) -> pd.DataFrame:
    rows = []
    for split in cohort.splits:
        part = cohort.examples[cohort.examples["split"] == split]
        for attribute in cohort.attributes:
            for group in [*cohort.groups[attribute], UNKNOWN]:
                members = part[part[attribute] == group]
                if group == UNKNOWN and members.empty:
                    continue
                counts = {"n": len(members), "share": len(members) / len(part)}
                rate = members["positive"].mean() if len(members) else float("nan")
                place = {"split": split, "attribute": attribute, "group": group}
                rows.append({**place, **counts, "positive": rate})
    return pd.DataFrame(rows)


def _show(counts: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    splits = list(counts["split"].unique())
    head = ["attribute", "group", *(f"{split}: n (share, with label)" for split in splits)]
    rows = []
    for (attribute, group), part in counts.groupby(["attribute", "group"], sort=False):
        by_split = part.set_index("split")
        cells = [_cell(by_split.loc[split]) if split in by_split.index else "-" for split in splits]
        rows.append([str(attribute), str(group), *cells])
    return head, rows


def _cell(cell: pd.Series) -> str:
    return f"{cell['n']:,} ({percent(cell['share'])}%, {percent(cell['positive'])}%)"
