"""Values of methods and their differences, on runs that no plan has claims about."""

from collections.abc import Iterator, Mapping

import pandas as pd

from clipfair.metrics.statistics import mean_interval
from clipfair.tables.common.markdown import markdown_table
from clipfair.tables.common.records import check_complete
from clipfair.tables.questions.measures import describe, show_interval
from clipfair.tables.questions.page import SHOWN, values_sections
from clipfair.tables.questions.secondary import row_name, summarise
from clipfair.tables.questions.values import SETTING, unit_values


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Mean and t interval over seeds of every measure and of its difference from the baseline.

    Parameters
    ----------
    records
        The result of :func:`clipfair.tables.common.records.read_records`.
    settings
        Those of :class:`clipfair.plan.table_settings.DifferencesSettings`.

    Returns
    -------
    The table, None, and the page. Rows with part ``values`` are those of :func:`~.secondary.summarise`, with
    part ``pairs`` those of :func:`compare_pairs`.

    Raises
    ------
    UserError
        If a run of the table's grids is missing.
    """
    check_complete(records, settings, settings["evaluations"])
    values = unit_values(records, settings)
    table, pairs = summarise(values, settings), compare_pairs(values, settings)
    page = [
        f"# {settings['title']}",
        "",
        "Without verdicts: the analysis plan has no claims about these runs.",
        *_pairs_sections(pairs),
        *values_sections(table, settings),
    ]
    parts = {"values": table, "pairs": pairs}
    filled = [part.assign(part=name) for name, part in parts.items() if not part.empty]
    both = pd.concat(filled, ignore_index=True)
    return both[["part", *both.columns.drop("part")]], None, "\n".join(page) + "\n"


def compare_pairs(values: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """The difference of two methods within a unit, where their runs have the same settings.

    Returns
    -------
    One row per world, pair of ``settings["pairs"]``, setting and measure of the first attribute: the columns
    :data:`~.values.SETTING` of the first method, measure, row and less (both in print), unit; mean, low, high
    (95% t interval over units) and n.
    """
    kept = values["attribute"].isin(["", settings["attributes"][0]]) & values["measure"].isin(SHOWN)
    key = [*SETTING, "measure"]
    wide = values[kept].pivot(index="unit", columns=key, values="value")
    rows = []
    for cell in (dict(zip(key, found, strict=True)) for found in wide.columns):
        other = cell | {"method": settings["pairs"].get(cell["method"])}
        if tuple(other.values()) in wide:
            found = mean_interval(wide[tuple(cell.values())] - wide[tuple(other.values())])
            names = {"row": row_name(cell, settings), "less": row_name(other, settings)}
            numbers = {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}
            rows.append({**cell, **names, "unit": describe(cell["measure"]).unit, **numbers})
    return pd.DataFrame(rows)


def _pairs_sections(pairs: pd.DataFrame) -> Iterator[str]:
    """The differences of the pairs, a table for each world."""
    if pairs.empty:
        return
    for world, of_world in pairs.groupby("world", sort=False):
        rows = [
            [
                *(row.row, row.less, describe(row.measure).name, str(row.n)),
                show_interval(row.mean, row.low, row.high, row.unit, sign="+"),
            ]
            for row in of_world.itertuples()
        ]
        yield from ("", f"## Pairs in {world}", "", "`of` less `less` within a unit: means, 95% t intervals.")
        yield from ("", *markdown_table(["of", "less", "metric", "n", "difference [95%]"], rows))
