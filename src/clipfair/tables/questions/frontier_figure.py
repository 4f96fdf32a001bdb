"""The claims of a question, and below them the frontier of AUC against matched DPD."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clipfair.tables.fairclip.plotting import SMALL, series_styles, tidy_axis
from clipfair.tables.questions.claims_figure import draw_claims_above
from clipfair.tables.questions.measures import MEASURES

HEIGHT = 4.2  # inches
X, Y = "auc", "matched_dpd"
LABELLED_FROM = 1  # smaller λ lie on top of each other


def draw(table: pd.DataFrame) -> Figure:
    """Draw the claims; below, AUC against matched DPD of every method, of one with several λ as a line.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.questions.question`.
    """
    figure, below = draw_claims_above(table, HEIGHT)
    axis = below.subplots()
    _draw_frontier(axis, table[table["part"] == "values"])
    below.legend(loc="outside right upper", frameon=False, fontsize=SMALL)
    return figure


def _draw_frontier(axis: Axes, values: pd.DataFrame) -> None:
    keys = ["method", "kind", "lam", "row"]
    chosen = values[values["measure"].isin([X, Y])]
    wide = chosen.pivot_table(
        index=keys, columns="measure", values=["mean", "low", "high"], sort=False
    ).reset_index()
    series = [f"{method} {kind}" for method, kind in zip(wide["method"], wide["kind"], strict=True)]
    style = series_styles(series)
    for name in dict.fromkeys(series):
        points = wide[[other == name for other in series]]
        points = points.loc[points["lam"].astype(float).sort_values().index]
        x, y = points["mean", X], points["mean", Y]
        label = points["row"].iloc[0] if len(points) == 1 else points["row"].iloc[0].partition(", λ")[0]
        marks = {
            **style(name),
            "markersize": 4 if len(points) > 1 else 7,
            "linewidth": 0.7,
            "elinewidth": 0.6,
        }
        bars = {
            f"{way}err": [
                (points["mean", measure] - points["low", measure]),
                (points["high", measure] - points["mean", measure]),
            ]
            for way, measure in (("x", X), ("y", Y))
        }
        several = {"linestyle": "-" if len(points) > 1 else "none"}
        axis.errorbar(x, y, label=label, **marks, **several, **(bars if len(points) == 1 else {}))
        for lam, place_x, place_y in zip(points["lam"], x, y, strict=True):
            if float(lam) >= LABELLED_FROM:
                axis.annotate(
                    f"{float(lam):g}",
                    (place_x, place_y),
                    fontsize="xx-small",
                    xytext=(2, 2),
                    textcoords="offset points",
                )
    for measure, name_axis in ((X, axis.set_xlabel), (Y, axis.set_ylabel)):
        name_axis(f"{MEASURES[measure].name}, points ({MEASURES[measure].better} is better)", fontsize=SMALL)
    axis.set_title(
        "Frontier; lines: λ from small to large, numbers: λ; bars: 95% t intervals; best: lower right",
        fontsize=SMALL,
    )
    tidy_axis(axis, along="both")
