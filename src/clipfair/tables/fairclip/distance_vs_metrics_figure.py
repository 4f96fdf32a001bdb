"""Distances and metrics over the epochs, and their rank correlations below."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from clipfair.tables.common.figure_parts import add_note, bounded_bars, explain_arrows
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.fairclip.plotting import SMALL, WIDTH, limit_log_ticks, series_styles, tidy_axis

# In the order of the panels, with short names.
SHORT = {
    "distance_wasserstein": "exact",
    "distance_scale_free": "scale-free",
    "distance_sinkhorn": "as released",
    "dpd": "DPD",
    "deodds": "DEOdds",
    "auc": "AUC",
}


def draw(table: pd.DataFrame) -> Figure:
    """Draw one column per attribute: curves, and below them the rank correlations where there are any.

    With several encoders, only the first is drawn.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.fairclip.distance_vs_metrics`.
    """
    table = table[table["encoder"] == table["encoder"].iloc[0]]
    curves, ranks = (table[table["kind"] == kind] for kind in ("curve", "correlation"))
    attributes = list(dict.fromkeys(curves["attribute"]))
    measures = [measure for measure in SHORT if measure in set(curves["measure"])]
    heights = [1.0] * len(measures) + [1.9] * (not ranks.empty)
    figure = Figure(figsize=(WIDTH, 1.0 + 1.15 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(heights), len(attributes), squeeze=False, height_ratios=heights, sharey="row")
    style = series_styles(table["method"])
    for column, attribute in enumerate(attributes):
        for row, measure in enumerate(measures):
            axis = axes[row][column]
            chosen = curves[(curves["attribute"] == attribute) & (curves["measure"] == measure)]
            _draw_curves(axis, chosen, measure, style)
            if measure.startswith("distance"):
                axis.set_yscale("log", nonpositive="mask")
                limit_log_ticks(axis.yaxis)
            if column == 0:
                axis.set_ylabel(MEASURES[measure].directed.replace(" (score", "\n(score"), fontsize=SMALL)
        axes[0][column].set_title(attribute, fontsize="small")
        axes[len(measures) - 1][column].set_xlabel("epoch", fontsize=SMALL)
        if not ranks.empty:
            _draw_ranks(axes[-1][column], ranks[ranks["attribute"] == attribute], style, labels=column == 0)
    handles, labels = axes[0][0].get_legend_handles_labels()
    for axis in axes[0][1:]:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles.append(handle)
                labels.append(label)
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    add_note(
        figure,
        explain_arrows(MEASURES[measure] for measure in measures),
        "Bands: mean ± standard deviation over seeds.",
        "" if ranks.empty else "Correlations: mean over runs with its 95% t interval.",
    )
    return figure


def _draw_curves(axis: Axes, curves: pd.DataFrame, measure: str, style) -> None:
    for method, points in curves.groupby("method", sort=False):
        points = points.sort_values("epoch")
        marks = style(method)
        below, above = bounded_bars(points["mean"], points["std"], MEASURES[measure])
        low, high = points["mean"] - below, points["mean"] + above
        name = points["row"].iloc[0].partition(" (")[0]
        axis.plot(points["epoch"], points["mean"], linewidth=0.9, markersize=2, label=name, **marks)
        axis.fill_between(points["epoch"], low, high, color=marks["color"], alpha=0.12, linewidth=0)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    tidy_axis(axis, along="both")


def _draw_ranks(axis: Axes, ranks: pd.DataFrame, style, *, labels: bool) -> None:
    pairs = list(dict.fromkeys(zip(ranks["distance"], ranks["measure"], strict=True)))
    methods = list(dict.fromkeys(ranks["method"]))
    for rank in ranks.itertuples():
        offset = 0.7 * ((methods.index(rank.method) + 0.5) / len(methods) - 0.5)
        place = pairs.index((rank.distance, rank.measure)) + offset
        marks = style(rank.method)
        axis.hlines(place, rank.low, rank.high, color=marks["color"], linewidth=0.8)
        axis.plot(rank.mean, place, markersize=3, linestyle="none", **marks)
    axis.axvline(0, color="black", linewidth=0.7)
    axis.set_xlim(-1.05, 1.05)
    axis.set_ylim(len(pairs) - 0.4, -0.6)
    if labels:
        named = [f"{SHORT[distance]}, {SHORT[measure]}" for distance, measure in pairs]
        axis.set_yticks(range(len(pairs)), named, fontsize=SMALL)
    axis.set_xlabel("rank correlation\nover epochs", fontsize=SMALL)
    tidy_axis(axis, along="x")
