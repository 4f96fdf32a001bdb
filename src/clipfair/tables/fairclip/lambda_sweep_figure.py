"""Every metric against the weight λ of the fairness loss, with the models without it as bands."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clipfair.tables.fairclip.plotting import (
    SMALL,
    WIDTH,
    limit_log_ticks,
    series_styles,
    tidy_axis,
    with_texts,
)

# Measure -> axis label, whether logarithmic.
PANELS = {
    "auc": ("AUC (%)", False),
    "es_auc": ("ES-AUC (%)", False),
    "selection_rate": ("selection rate (%)", False),
    "dpd": ("DPD (%)", False),
    "deodds": ("DEOdds (%)", False),
    "distance_wasserstein": ("exact distance (score²)", True),
    "distance_sinkhorn": ("as released (score²)", True),
    "distance_scale_free": ("scale-free distance", True),
}
COLUMNS = 4


def draw(table: pd.DataFrame) -> Figure:
    """Draw two rows of panels per encoder and attribute; error bars and bands are standard deviations.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.fairclip.lambda_sweep`.
    """
    table = with_texts(table)
    table = table[table["group"] == ""]
    attributes = [attribute for attribute in dict.fromkeys(table["attribute"]) if attribute]
    blocks = [(encoder, attribute) for encoder in dict.fromkeys(table["encoder"]) for attribute in attributes]
    lines = -(-len(PANELS) // COLUMNS)
    figure = Figure(figsize=(WIDTH, 0.5 + 1.5 * lines * len(blocks)), layout="constrained")
    axes = figure.subplots(lines * len(blocks), COLUMNS, squeeze=False)
    style = series_styles(table["method"])
    for place, (encoder, attribute) in enumerate(blocks):
        panels = axes[lines * place : lines * (place + 1)].ravel()
        of_block = table[(table["encoder"] == encoder) & table["attribute"].isin(["", attribute])]
        for axis, (measure, (label, log)) in zip(panels, PANELS.items(), strict=True):
            _draw_panel(axis, of_block[of_block["measure"] == measure], attribute, style)
            axis.set_ylabel(label, fontsize=SMALL)
            axis.set_xlabel("λ", fontsize=SMALL)
            if log:
                axis.set_yscale("log", nonpositive="mask")
                limit_log_ticks(axis.yaxis)
        panels[0].set_title(f"{encoder}, {attribute}", fontsize="small", loc="left")
    named = {}
    for axis in axes.ravel():
        handles, labels = axis.get_legend_handles_labels()
        named.update(zip(labels, handles, strict=True))
    figure.legend(named.values(), named, loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    return figure


def _draw_panel(axis: Axes, cells: pd.DataFrame, attribute: str, style) -> None:
    for method, points in cells.groupby("method", sort=False):
        points = points[points["attr"].isin(["none", attribute])].assign(lam=points["lam"].astype(float))
        if points.empty:
            continue
        # A method without λ is drawn as a band; the names of rows with λ have it in brackets.
        name = points["row"].iloc[0].partition(" (")[0]
        if (points["lam"] == 0).all():
            mean, std = points["mean"].iloc[0], points["std"].fillna(0).iloc[0]
            colour = style(method)["color"]
            axis.axhline(mean, color=colour, linewidth=0.9, linestyle="--", label=name)
            axis.axhspan(mean - std, mean + std, color=colour, alpha=0.12, linewidth=0)
        else:
            points = points[points["lam"] > 0].sort_values("lam")
            marks = {**style(method), "markersize": 3, "linewidth": 0.9, "elinewidth": 0.7}
            axis.errorbar(points["lam"], points["mean"], yerr=points["std"], label=name, **marks)
    axis.set_xscale("log")
    tidy_axis(axis, along="both")
