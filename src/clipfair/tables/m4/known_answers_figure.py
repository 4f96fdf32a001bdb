"""The planted biases: every run on biased data, balanced or not, and on unbiased data."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common.figure_parts import add_note
from clipfair.tables.common.metric_name import ARROWS, DIRECTIONS
from clipfair.tables.m4 import plotting


@plotting.paper_style
def draw(table: pd.DataFrame) -> Figure:
    """Draw one panel per statistic: points are runs, the line is their mean.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.m4.known_answers`.
    """
    runs = table[table["part"] == "runs"]
    statistics = runs["statistic"].unique()
    conditions = list(runs["condition"].unique())
    styles = plotting.series_styles(conditions)
    figure, axes = plotting.make_panels(len(statistics), columns=2, height=2.6, width=plotting.PAGE * 0.8)
    for axis, statistic in zip(axes, statistics, strict=True):
        shown = runs[runs["statistic"] == statistic]
        for at, condition in enumerate(conditions):
            values = shown.loc[shown["condition"] == condition, "value"]
            x = [at - 0.15 + 0.3 * place / max(len(values) - 1, 1) for place in range(len(values))]
            axis.scatter(x, values, s=6, color=styles[condition]["color"], alpha=0.45, linewidths=0)
            axis.hlines(values.mean(), at - 0.28, at + 0.28, color=styles[condition]["color"], linewidth=1.4)
        plotting.label_positions(axis, conditions, columns=2, width=plotting.PAGE * 0.8)
        plotting.draw_zero_line(axis)
        plotting.tidy_axis(axis)
        axis.set_ylabel(f"{statistic} {ARROWS['zero']}")
    add_note(
        figure,
        f"{ARROWS['zero']} {DIRECTIONS['zero']}.",
        "Points: one run each, spread within their condition; line: mean.",
    )
    return figure
