"""Published models: one panel for each dataset, metric and group; a model is a row."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common.figure_parts import add_note, explain_arrows
from clipfair.tables.m4 import plotting
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.selection import OVERALL

COLUMNS = 4


@plotting.paper_style
def draw(table: pd.DataFrame) -> Figure:
    """Draw the value of each model with its 95% interval.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.m4.published_models`.
    """
    labels = list(table["model_label"].unique())
    panels = list(table.groupby(["metric", "group", "panel"], sort=False))
    columns = min(COLUMNS, len(panels))
    figure, axes = plotting.make_panels(
        len(panels), columns=columns, height=0.6 + 0.13 * len(labels), sharey=True
    )
    for axis, ((metric, group, panel), shown) in zip(axes, panels, strict=True):
        name = metric_name(metric)
        rows = [labels.index(label) for label in shown["model_label"]]
        ends = (shown["value"] - shown["low"], shown["high"] - shown["value"])
        axis.errorbar(
            shown["value"] * name.scale,
            rows,
            xerr=[end.fillna(0) * name.scale for end in ends],
            linestyle="none",
            **plotting.STYLES[0],
            **plotting.LINES,
        )
        axis.set_title(panel if group == OVERALL else f"{panel}, {group}")
        axis.set_xlabel(name.directed)
        axis.grid(axis="x", color="0.92", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.set_yticks(range(len(labels)), labels)
        axis.set_ylim(len(labels) - 0.5, -0.5)
    names = [metric_name(metric) for metric in table["metric"].unique()]
    add_note(figure, explain_arrows(names), "Bars: 95% intervals over the evaluated examples.")
    return figure
