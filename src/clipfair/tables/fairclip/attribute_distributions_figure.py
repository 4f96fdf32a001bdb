"""The sensitive attributes by split: shares of the groups above, the label's share in each below."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common.palette import COLOURS
from clipfair.tables.fairclip.plotting import SMALL, WIDTH, tidy_axis

SPLIT_COLOURS = [COLOURS[4], COLOURS[1], COLOURS[3]]


def draw(frame: pd.DataFrame) -> Figure:
    """Draw two rows of panels per dataset, one panel per attribute, one bar per split.

    Parameters
    ----------
    frame
        The table of :mod:`clipfair.tables.fairclip.attribute_distributions`.
    """
    datasets = list(dict.fromkeys(frame["dataset"]))
    widest = max(part["attribute"].nunique() for _, part in frame.groupby("dataset"))
    figure = Figure(figsize=(WIDTH, 0.4 + 3.6 * len(datasets)), layout="constrained")
    for rows, dataset in zip(figure.subfigures(len(datasets), 1, squeeze=False), datasets, strict=True):
        part = frame[frame["dataset"] == dataset]
        attributes = list(dict.fromkeys(part["attribute"]))
        sizes = [max(part.loc[part["attribute"] == name, "group"].nunique(), 2) for name in attributes]
        axes = rows[0].subplots(2, len(attributes), squeeze=False, sharey="row", width_ratios=sizes)
        for column, attribute in enumerate(attributes):
            chosen = part[part["attribute"] == attribute]
            for axis, measure in zip(axes[:, column], ("share", "positive"), strict=True):
                _draw_bars(axis, chosen, measure)
            axes[0][column].set_title(attribute, fontsize="small")
        axes[0][0].set_ylabel("share of the split (%)", fontsize=SMALL)
        axes[1][0].set_ylabel(f"with label: {part['label'].iloc[0]} (%)", fontsize=SMALL)
        handles, labels = axes[0][0].get_legend_handles_labels()
        place = {"loc": "outside upper center", "ncols": max(3, widest), "frameon": False}
        rows[0].legend(handles, [f"{dataset}, {label}" for label in labels], fontsize="small", **place)
    return figure


def _draw_bars(axis, cells: pd.DataFrame, measure: str) -> None:
    groups, splits = list(dict.fromkeys(cells["group"])), list(dict.fromkeys(cells["split"]))
    width = 0.8 / len(splits)
    for place, split in enumerate(splits):
        of_split = cells[cells["split"] == split].set_index("group")[measure].reindex(groups)
        if measure == "share":
            of_split = of_split.fillna(0)
        offset = (place - (len(splits) - 1) / 2) * width
        places = np.arange(len(groups)) + offset
        # The edge, and the room below zero, keep a bar of zero visible.
        colour = SPLIT_COLOURS[place]
        axis.bar(places, 100 * of_split, width, color=colour, edgecolor=colour, linewidth=0.8, label=split)
    axis.set_xticks(range(len(groups)), groups, rotation=45, ha="right", fontsize=SMALL)
    axis.set_xlim(-0.6, len(groups) - 0.4)
    axis.use_sticky_edges = False
    axis.margins(y=0.03)
    tidy_axis(axis, along="y")
