"""Every prepared dataset of a study: its size by split, and its groups."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.common.markdown import markdown_table

# Columns of prepared tables that are not attributes.
NOT_GROUPS = ("key", "split", "image", "tar", "parquet")
MAX_GROUPS = 12


def build(tables: Mapping[str, str]) -> tuple[pd.DataFrame, str]:
    """Count the examples of every dataset by split, and by the groups of its text columns.

    Parameters
    ----------
    tables
        Dataset -> its prepared table. A column of text with at most 12 values counts as groups.

    Returns
    -------
    One row per dataset, split (``all`` first), column and group: ``dataset, split, column, group, n``; rows
    with column ``all`` are the sizes. Then the page.
    """
    frame = pd.concat(
        [_count(pd.read_parquet(path), name) for name, path in tables.items()], ignore_index=True
    )
    return frame, _page(frame)


def _count(table: pd.DataFrame, name: str) -> pd.DataFrame:
    parts = {"all": table}
    if "split" in table:
        parts |= {str(split): part for split, part in table.groupby("split", observed=True)}
    columns = [column for column in table if column not in NOT_GROUPS and _is_groups(table[column])]
    rows = []
    for split, part in parts.items():
        rows.append((name, split, "all", "all", len(part)))
        for column in columns:
            rows += [
                (name, split, column, str(group), n)
                for group, n in part[column].value_counts(sort=False).items()
            ]
    return pd.DataFrame(rows, columns=["dataset", "split", "column", "group", "n"])


def _is_groups(column: pd.Series) -> bool:
    is_category = isinstance(column.dtype, pd.CategoricalDtype)
    # A column of lists (captions, boxes) has an object type, too, but no groups.
    is_text = pd.api.types.infer_dtype(column, skipna=True) == "string"
    return (is_category or is_text) and column.nunique() <= MAX_GROUPS


def _page(frame: pd.DataFrame) -> str:
    sizes = frame[frame["column"] == "all"]
    whole = frame[(frame["split"] == "all") & (frame["column"] != "all")]
    rows = []
    for dataset, counts in sizes.groupby("dataset", sort=False):
        splits = ", ".join(f"{count.split} {count.n:,}" for count in counts.itertuples())
        groups = [
            f"{column}: " + ", ".join(f"{count.group} {count.n:,}" for count in values.itertuples())
            for column, values in whole[whole["dataset"] == dataset].groupby("column", sort=False)
        ]
        rows.append([str(dataset), splits, "; ".join(groups)])
    return "\n".join(["# Datasets", "", *markdown_table(["dataset", "examples", "groups"], rows), ""])
