"""Every metric against the weight λ of the fairness loss, with the models without it as bands."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clipfair.tables.common.figure_parts import OVER_SEEDS, add_note, bounded_bars, explain_arrows
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.fairclip.plotting import (
    SMALL,
    WIDTH,
    limit_log_ticks,
    series_styles,
    tidy_axis,
    with_texts,
)

PANELS = ("auc", "es_auc", "selection_rate", "dpd", "deodds")
# On logarithmic axes.
DISTANCES = ("distance_wasserstein", "distance_sinkhorn", "distance_scale_free")
COLUMNS = 4


def draw(table: pd.DataFrame) -> Figure:
    """Draw rows of panels per encoder and attribute; error bars and bands are standard deviations.

    A distance that is nowhere positive, as one that has not converged can be, has no panel.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.fairclip.lambda_sweep`.
    """
    table = with_texts(table)
    table = table[table["group"] == ""]
    attributes = [attribute for attribute in dict.fromkeys(table["attribute"]) if attribute]
    blocks = [(encoder, attribute) for encoder in dict.fromkeys(table["encoder"]) for attribute in attributes]
    positive = set(table.loc[table["mean"] > 0, "measure"])
    measures = [
        measure for measure in (*PANELS, *DISTANCES) if measure not in DISTANCES or measure in positive
    ]
    lines = -(-len(measures) // COLUMNS)
    figure = Figure(figsize=(WIDTH, 0.7 + 1.5 * lines * len(blocks)), layout="constrained")
    axes = figure.subplots(lines * len(blocks), COLUMNS, squeeze=False)
    style = series_styles(table["method"])
    for place, (encoder, attribute) in enumerate(blocks):
        panels = axes[lines * place : lines * (place + 1)].ravel()
        of_block = table[(table["encoder"] == encoder) & table["attribute"].isin(["", attribute])]
        for axis, measure in zip(panels, measures, strict=False):
            _draw_panel(axis, of_block[of_block["measure"] == measure], measure, attribute, style)
        for axis in panels[len(measures) :]:
            axis.remove()
        panels[0].set_title(f"{encoder}, {attribute}", fontsize="small", loc="left")
    named = {}
    for axis in figure.axes:
        handles, labels = axis.get_legend_handles_labels()
        named.update(zip(labels, handles, strict=True))
    figure.legend(named.values(), named, loc="outside upper center", ncols=4, frameon=False, fontsize="small")
    bands = "Dashed lines with bands: training without the loss, mean ± standard deviation over seeds."
    add_note(figure, explain_arrows(MEASURES[measure] for measure in measures), OVER_SEEDS, bands)
    return figure


def _draw_panel(axis: Axes, cells: pd.DataFrame, measure: str, attribute: str, style) -> None:
    name = MEASURES[measure]
    for method, points in cells.groupby("method", sort=False):
        points = points[points["attr"].isin(["none", attribute])].assign(lam=points["lam"].astype(float))
        if points.empty:
            continue
        # A method without λ is drawn as a band; the names of rows with λ have it in brackets.
        label = points["row"].iloc[0].partition(" (")[0]
        if (points["lam"] == 0).all():
            [below], [above] = bounded_bars(points["mean"].head(1), points["std"].head(1), name)
            mean, colour = points["mean"].iloc[0], style(method)["color"]
            axis.axhline(mean, color=colour, linewidth=0.9, linestyle="--", label=label)
            axis.axhspan(mean - below, mean + above, color=colour, alpha=0.12, linewidth=0)
        else:
            points = points[points["lam"] > 0].sort_values("lam")
            marks = {**style(method), "markersize": 3, "linewidth": 0.9, "elinewidth": 0.7}
            bars = bounded_bars(points["mean"], points["std"], name)
            axis.errorbar(points["lam"], points["mean"], yerr=bars, label=label, **marks)
    axis.set_xscale("log")
    if measure in DISTANCES:
        axis.set_yscale("log", nonpositive="clip")
        limit_log_ticks(axis.yaxis)
    axis.set_xlabel("λ", fontsize=SMALL)
    axis.set_ylabel(name.directed.replace(" (score", "\n(score"), fontsize=SMALL)
    tidy_axis(axis, along="both")
