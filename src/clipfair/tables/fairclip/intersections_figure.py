"""The sizes of the intersections of all attributes, on a logarithmic axis."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common.figure_parts import add_note
from clipfair.tables.common.palette import COLOURS
from clipfair.tables.fairclip.plotting import SMALL, WIDTH, limit_log_ticks, tidy_axis

MOST = 40


def draw(frame: pd.DataFrame) -> Figure:
    """Draw one panel per dataset: the 40 largest intersections, over all splits and in the reported one.

    Parameters
    ----------
    frame
        The table of :mod:`clipfair.tables.fairclip.intersections`.
    """
    parts = [part.head(MOST) for _, part in frame.groupby("dataset", sort=False)]
    heights = [0.5 + 0.14 * len(part) for part in parts]
    figure = Figure(figsize=(WIDTH, 0.4 + sum(heights)), layout="constrained")
    axes = figure.subplots(len(parts), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, part in zip(axes, parts, strict=True):
        places = range(len(part))
        in_test = part["n_test"].where(part["n_test"] > 0)
        axis.hlines(places, in_test.fillna(1), part["n"], color="0.8", linewidth=1.2, zorder=1)
        axis.scatter(part["n"], places, color=COLOURS[4], s=14, label="all splits", zorder=2)
        axis.scatter(in_test, places, color=COLOURS[1], marker="D", s=10, label="reported split", zorder=2)
        axis.set_xscale("log")
        limit_log_ticks(axis.xaxis)
        axis.set_yticks(places, part["intersection"], fontsize=SMALL)
        axis.set_ylim(len(part) - 0.4, -0.6)
        axis.set_title(part["dataset"].iloc[0], fontsize="small")
        tidy_axis(axis, along="x")
    axes[-1].set_xlabel("examples", fontsize=SMALL)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    add_note(
        figure,
        f"The {MOST} largest intersections of each dataset. Without a diamond: none in the reported split.",
    )
    return figure
