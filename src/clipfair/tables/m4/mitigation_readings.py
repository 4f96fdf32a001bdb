"""Fit of the readings of underspecified rows of Table 5 to the published cells."""

from collections.abc import Iterable, Mapping

import pandas as pd

from clipfair.tables.common.compare import NOT_COMPARABLE, REPRODUCED, read_published
from clipfair.tables.common.markdown import markdown_table, mean_and_std, number
from clipfair.tables.m4.mitigation_records import CELL, METRICS, read_repeats
from clipfair.tables.m4.mitigation_verdicts import RULES, compare_with_published


def build(
    records: Iterable[str], published: str, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Compare every reading of a published row with that row.

    Parameters
    ----------
    records, published
        As for :func:`clipfair.tables.m4.mitigation.build`.
    settings
        As there, and ``variants`` (method -> the published row that it is another reading of).

    Returns
    -------
    The tidy table (task, row, metric, published_row, mean, std, n), one row per cell of a reading; only
    published rows with several readings. Its comparison with the published values, and the page.

    Raises
    ------
    UserError
        If a repeat is missing from the records.
    """
    rows = {row: name for row, name in settings["rows"].items() if name} | settings["variants"]
    readings = pd.Series(rows)
    several = readings[readings.duplicated(keep=False)]
    repeats = read_repeats(records, settings)
    values = read_published(published, settings["published"])
    compared = compare_with_published(repeats, values, rows, settings)
    compared = compared[compared["row"].isin(several.index)].reset_index(drop=True)
    return compared[[*CELL, "published_row", "mean", "std", "n"]], compared, render(compared, settings)


def render(compared: pd.DataFrame, settings: Mapping) -> str:
    """The page: for each published row its values and those of every reading."""
    lines = [
        "# Readings of the rows of Table 5 of CLIP the Bias",
        "",
        f"Mean ± standard deviation over {len(settings['seeds'])} repeats, in percent; the first line of a "
        "block is the published row. In brackets: deviation of the means in standard errors; for rows other "
        "than the baseline, after the semicolon, that of the difference to the baseline. Last columns: cells "
        "reproduced by each rule.",
    ]
    columns = [(task, metric) for task in settings["tasks"] for metric in METRICS]
    head = ["reading", *(f"{task}: {metric}" for task, metric in columns), *RULES.values()]
    for name in compared["published_row"].unique():
        block = compared[compared["published_row"] == name]
        first = block.drop_duplicates(["task", "metric"]).set_index(["task", "metric"])
        published = [
            mean_and_std(first["published_mean"][column], first["published_std"][column])
            for column in columns
        ]
        rows = [[f"published: {name}", *published, *[""] * len(RULES)]]
        rows += [_row(row, cells, columns) for row, cells in block.groupby("row", sort=False)]
        lines += ["", f"## {name}", "", *markdown_table(head, rows)]
    return "\n".join(lines) + "\n"


def _row(row: str, cells: pd.DataFrame, columns: list[tuple[str, str]]) -> list[str]:
    by_column = cells.set_index(["task", "metric"])
    counts = [_count(cells[f"{prefix}verdict"]) for prefix in RULES]
    return [row, *(_cell(by_column.loc[column]) for column in columns), *counts]


def _cell(cell: pd.Series) -> str:
    deviations = number(cell["deviations"], decimals=1, sign="+")
    if pd.notna(cell["paired_deviations"]):
        deviations += f"; {number(cell['paired_deviations'], decimals=1, sign='+')}"
    return f"{mean_and_std(cell['mean'], cell['std'])} ({deviations})"


def _count(verdicts: pd.Series) -> str:
    judged = verdicts[~verdicts.str.startswith(NOT_COMPARABLE)]
    return f"{int((judged == REPRODUCED).sum())} of {len(judged)}" if len(judged) else "-"
