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
