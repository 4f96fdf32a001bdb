"""Figure 8 of CLIP the Bias: groups above, correlations below, before and after balancing."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clipfair.tables.common.figure_parts import add_note
from clipfair.tables.common.palette import AFTER, BEFORE, SAMPLE, TARGET

VERSIONS = {
    "before": ("before", BEFORE),
    "after": ("after (weighted)", AFTER),
    "sample": ("after (sample)", SAMPLE),
}


def draw(frame: pd.DataFrame) -> Figure:
    """Draw a panel per attribute with its groups' shares and targets above, the correlations below.

    Parameters
    ----------
    frame
        The table of :mod:`clipfair.tables.m4.group_distributions`.
    """
    versions = [version for version in VERSIONS if frame[version].notna().any()]
    shares, correlations = (frame[frame["measure"] == measure] for measure in ("share", "correlation"))
    rows = 1 if correlations.empty else 2
    figure = Figure(figsize=(7, 0.4 + 2.4 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, 1)
    panels = [panel for _, panel in shares.groupby("constraints", sort=False)]
    # A panel needs room for its title, however few its groups.
    widths = [max(len(panel), 3) for panel in panels]
    columns = grid[0].subgridspec(1, len(panels), width_ratios=widths)
    for place, panel in enumerate(panels):
        axis = figure.add_subplot(columns[place])
        _draw_bars(axis, 100 * panel[["target", *versions]], versions)
        axis.set_title(panel["constraints"].iloc[0], fontsize="medium")
        axis.set_xticks(range(len(panel)), map(_group_label, panel["item"]), fontsize="x-small")
        if len(panel) > 4:
            axis.tick_params(axis="x", labelrotation=90)
        if place == 0:
            axis.set_ylabel("share of examples (%)")
    if not correlations.empty:
        axis = figure.add_subplot(grid[1])
        names = correlations["constraints"].str.removeprefix("decorrelate ").str.replace(" and ", "\nand ")
        _draw_bars(axis, correlations, versions)
        axis.set_xticks(
            range(len(correlations)),
            [f"{name}\n{item}" for name, item in zip(names, correlations["item"], strict=True)],
            fontsize="x-small",
        )
        axis.set_ylabel("|Pearson correlation|")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize="small"
    )
    add_note(figure, "Nearer to the dashed target is better; a line at the bottom is a bar of zero.")
    return figure


def _draw_bars(axis: Axes, values: pd.DataFrame, versions: list[str]) -> None:
    """Draw the versions of each item side by side, and its target across them."""
    places = np.arange(len(values))
    width = 0.8 / len(versions)
    for position, version in enumerate(versions):
        label, colour = VERSIONS[version]
        offset = (position - (len(versions) - 1) / 2) * width
        # The edge keeps a bar of zero visible.
        bars = {"color": colour, "edgecolor": colour, "linewidth": 0.8}
        axis.bar(places + offset, values[version], width, label=label, **bars)
    axis.hlines(
        values["target"],
        places - 0.48,
        places + 0.48,
        color=TARGET,
        linestyle="--",
        linewidth=1.2,
        label="target",
    )
    axis.set_xlim(-0.6, len(values) - 0.4)
    # A little room below zero, where a bar of zero is a line.
    axis.use_sticky_edges = False
    axis.margins(y=0.03)
    axis.tick_params(axis="y", labelsize="small")
    axis.grid(axis="y", color="0.9", linewidth=0.6)
    axis.set_axisbelow(True)


def _group_label(group: str) -> str:
    """``image.gender=man`` as man, with image on a second line."""
    column, _, value = group.partition("=")
    modality = column.rpartition(".")[0]
    return f"{value or column}\n{modality}" if modality else value or column
