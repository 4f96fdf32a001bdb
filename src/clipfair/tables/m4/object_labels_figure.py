"""Figure 10 of CLIP the Bias: the most frequent object labels before and after debiasing."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common.palette import AFTER, BEFORE


def draw(frame: pd.DataFrame) -> Figure:
    """Draw one line per label, the most frequent on top: shares before and after, and relative change.

    Parameters
    ----------
    frame
        The table of :mod:`clipfair.tables.m4.object_labels`.
    """
    places = range(len(frame))
    figure = Figure(figsize=(7, 1.2 + 0.15 * len(frame)), layout="constrained")
    shares, changes = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    before, after = 100 * frame["share_before"], 100 * frame["share_after"]
    shares.hlines(places, before, after, color="0.7", linewidth=2, zorder=1)
    shares.scatter(before, places, color=BEFORE, marker="o", s=16, label="before", zorder=2)
    shares.scatter(after, places, color=AFTER, marker="D", s=12, label="after", zorder=3)
    shares.set_xlabel("examples with the label (%)")
    shares.set_xlim(left=0)
    shares.set_yticks(places, frame["label"], fontsize="x-small")
    changes.barh(places, 100 * frame["relative_change"], color=AFTER, edgecolor=AFTER, height=0.6)
    changes.axvline(0, color="black", linewidth=0.8)
    changes.set_xlabel("relative change (%)")
    shares.set_ylim(len(frame) - 0.4, -0.6)
    for axis in (shares, changes):
        axis.grid(axis="x", color="0.9", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.tick_params(axis="x", labelsize="small")
    changes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    return figure
