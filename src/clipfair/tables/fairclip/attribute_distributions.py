"""The distribution of the sensitive attributes in each split, and the share of the label by group."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.common.markdown import markdown_table, percent
from clipfair.tables.fairclip.cohorts import UNKNOWN, read_cohort

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
    frame = pd.concat([_count(name, path) for name, path in tables.items()], ignore_index=True)
    return frame, _page(frame)


def _count(name: str, path: str) -> pd.DataFrame:
    cohort = read_cohort(path)
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
                rows.append(
                    {"dataset": name, "split": split, "attribute": attribute, "group": group}
                    | {**counts, "positive": rate, "label": cohort.label}
                )
    return pd.DataFrame(rows)


def _page(frame: pd.DataFrame) -> str:
    lines = ["# Attributes by split", "", INTRO.format(label=", ".join(frame["label"].unique()))]
    for dataset, part in frame.groupby("dataset", sort=False):
        splits = list(part["split"].unique())
        head = ["attribute", "group", *(f"{split}: n (share, with label)" for split in splits)]
        rows = []
        for (attribute, group), cells in part.groupby(["attribute", "group"], sort=False):
            by_split = cells.set_index("split")
            counts = [_cell(by_split.loc[split]) if split in by_split.index else "-" for split in splits]
            rows.append([str(attribute), str(group), *counts])
        lines += ["", f"## {dataset}", "", *markdown_table(head, rows)]
    return "\n".join(lines) + "\n"


def _cell(cell: pd.Series) -> str:
    return f"{cell['n']:,} ({percent(cell['share'])}%, {percent(cell['positive'])}%)"
