"""The planted biases: every run of the biased world, balanced or not, and of the unbiased one."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.m4 import plotting


@plotting.paper_style
def draw(table: pd.DataFrame) -> Figure:
    """A panel a statistic: points are runs, the line is their mean.

    Parameters
    ----------
    table
        Of :mod:`clipfair.tables.m4.known_answers`.
    """
    runs = table[table["part"] == "runs"]
    statistics = runs["statistic"].unique()
    conditions = list(runs["condition"].unique())
    look = plotting.series_styles(conditions)
    figure, axes = plotting.make_panels(len(statistics), columns=2, height=2.6, width=plotting.PAGE * 0.8)
    for axis, statistic in zip(axes, statistics, strict=True):
        shown = runs[runs["statistic"] == statistic]
        for at, condition in enumerate(conditions):
            values = shown.loc[shown["condition"] == condition, "value"]
            beside = [at - 0.15 + 0.3 * place / max(len(values) - 1, 1) for place in range(len(values))]
            axis.scatter(beside, values, s=6, color=look[condition]["color"], alpha=0.45, linewidths=0)
            axis.hlines(values.mean(), at - 0.28, at + 0.28, color=look[condition]["color"], linewidth=1.4)
        plotting.label_positions(axis, conditions, columns=2, width=plotting.PAGE * 0.8)
        plotting.draw_zero_line(axis)
        plotting.tidy_axis(axis)
        axis.set_ylabel(statistic)
    return figure
