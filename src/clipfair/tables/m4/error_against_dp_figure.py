"""Error against demographic parity difference of all methods, with the published points."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clipfair.tables.common.figure_parts import add_note, bounded_bars, explain_arrows
from clipfair.tables.common.metric_name import MetricName
from clipfair.tables.common.palette import COLOURS

MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<", ">", "h"]
NAMES = {
    "DP": MetricName("demographic parity difference", better="lower"),
    "Error": MetricName("error", better="lower"),
}


def draw(compared: pd.DataFrame) -> Figure:
    """Draw one panel per task; filled points are ours with standard deviations, hollow ones published.

    Parameters
    ----------
    compared
        The table's ``.compare.csv``.
    """
    tasks = list(compared["task"].unique())
    rows = list(compared["row"].unique())
    figure = Figure(figsize=(3.5 * len(tasks), 4.8), layout="constrained")
    axes = figure.subplots(1, len(tasks), squeeze=False)
    for axis, task in zip(axes[0], tasks, strict=True):
        panel = compared[compared["task"] == task]
        for index, row in enumerate(rows):
            _draw_row(axis, panel[panel["row"] == row].set_index("metric"), row, index)
        axis.set_title(task)
        axis.set_xlabel(NAMES["DP"].directed)
        axis.set_ylabel(NAMES["Error"].directed)
        axis.margins(0.1)
    handles, _ = axes[0][0].get_legend_handles_labels()
    hollow = Line2D([], [], color="grey", marker="o", markerfacecolor="none", linestyle=":")
    hollow.set_label("published (hollow)")
    figure.legend(
        handles=[*handles, hollow], loc="outside upper center", ncols=3, fontsize="small", frameon=False
    )
    add_note(
        figure,
        explain_arrows(NAMES.values()),
        "Filled: ours, mean ± standard deviation over repeats, cut at zero; hollow: published; a dotted line "
        "joins both.",
    )
    return figure


def _bars(cell: pd.Series, name: MetricName) -> np.ndarray:
    return bounded_bars(pd.Series([cell["mean"]]), pd.Series([cell["std"]]), name)


def _draw_row(axis: Axes, values: pd.DataFrame, row: str, index: int) -> None:
    colour = COLOURS[index % len(COLOURS)]
    marker = MARKERS[index % len(MARKERS)]
    x, y = values.loc["DP"], values.loc["Error"]
    axis.errorbar(
        x["mean"],
        y["mean"],
        xerr=_bars(x, NAMES["DP"]),
        yerr=_bars(y, NAMES["Error"]),
        color=colour,
        marker=marker,
        markersize=5,
        linestyle="none",
        elinewidth=0.8,
        label=row,
    )
    if pd.notna(x["published_mean"]):
        ours, published = (x["mean"], y["mean"]), (x["published_mean"], y["published_mean"])
        axis.plot(*zip(ours, published, strict=True), color=colour, linewidth=0.6, linestyle=":")
        axis.plot(*published, color=colour, marker=marker, markersize=6, markerfacecolor="none")
