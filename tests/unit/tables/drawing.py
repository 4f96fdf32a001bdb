"""Drawing a figure in a test as its rule does."""

import pandas as pd
from matplotlib.text import Text

from clipfair.tables.common.figure_files import write_figure
from clipfair.tables.common.table_files import read_table, write_table


def read_back(folder, table) -> pd.DataFrame:
    """The table as the rule reads it: written to csv and read again."""
    write_table(folder / "table.csv", table, "synthetic")
    return read_table(folder / "table.csv")


def svg_of(folder, table, draw) -> str:
    """The figure of a table as svg, which is the same when drawn twice."""
    for name in ("one.svg", "two.svg"):
        write_figure(draw(read_back(folder, table)), folder / name, data="synthetic")
    assert (folder / "one.svg").read_bytes() == (folder / "two.svg").read_bytes()
    return (folder / "one.svg").read_text()


def texts_of(figure) -> set[str]:
    """All texts in a figure."""
    figure.draw_without_rendering()
    return {text.get_text() for text in figure.findobj(Text)}


def cut_off(figure) -> list[str]:
    """Return the panels and directions in which the limits of an axis leave out some of the data."""
    figure.draw_without_rendering()
    found = []
    for number, axis in enumerate(figure.axes):
        for way, limits, data, scale in (
            ("x", axis.get_xlim(), axis.dataLim.intervalx, axis.get_xscale()),
            ("y", axis.get_ylim(), axis.dataLim.intervaly, axis.get_yscale()),
        ):
            low, high = sorted(limits)
            margin = 1e-9 * (high - low)
            shown = data[data > 0] if scale == "log" else data
            if len(shown) and (shown.min() < low - margin or shown.max() > high + margin):
                found.append(f"panel {number}, {way}: {sorted(data)} in {low, high}")
    return found
