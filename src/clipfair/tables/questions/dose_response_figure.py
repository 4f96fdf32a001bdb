"""The claims of a question, and below them each world's gap and AUC against λ."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clipfair.tables.fairclip.plotting import SMALL, series_styles, tidy_axis
from clipfair.tables.questions.claims_figure import draw_claims_above
from clipfair.tables.questions.measures import MEASURES, THRESHOLD_FREE

HEIGHT = 3.6  # inches
BELOW = "auc"


def draw(table: pd.DataFrame) -> Figure:
    """Draw the claims; below, a column for each world: its claimed metric above, the AUC below, against λ.

    Methods without λ are bands (mean and 95% t interval), those with λ lines with intervals.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.questions.question`.
    """
    figure, below = draw_claims_above(table, HEIGHT)
    _draw_doses(below, table)
    return figure


def claimed_measures(table: pd.DataFrame) -> dict[str, str]:
    """The measure that the first claim in each world is about."""
    names = {measure.name: name for name, measure in MEASURES.items()}
    claims = table[(table["part"] == "claims") & table["metric"].isin(names)]
    return {
        world: names[metric]
        for world, metric in claims.groupby("world", sort=False)["metric"].first().items()
    }


def _draw_doses(figure, table: pd.DataFrame) -> None:
    values = table[(table["part"] == "values") & (table["kind"] == THRESHOLD_FREE)]
    values = values[
        values["attribute"].isna() | (values["attribute"] == values["attribute"].dropna().iloc[0])
    ]
    worlds = claimed_measures(table)
    drawn = values[values["method"].isin(_with_several_lams(values))]
    style = series_styles(list(dict.fromkeys(drawn["method"])))
    axes = figure.subplots(2, len(worlds), squeeze=False)
    for column, (world, measure) in enumerate(worlds.items()):
        for axis, shown in zip(axes[:, column], (measure, BELOW), strict=True):
            rows = drawn[(drawn["world"] == world) & (drawn["measure"] == shown)]
            _draw_dose(axis, rows, style)
            better = MEASURES[shown].better
            axis.set_ylabel(f"{MEASURES[shown].name}, points\n({better} is better)", fontsize=SMALL)
        axes[0, column].set_title(world, fontsize=SMALL)
        axes[1, column].set_xlabel("λ", fontsize=SMALL)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=SMALL)


def _with_several_lams(values: pd.DataFrame) -> set[str]:
    """The methods with several λ, and their baselines."""
    several = values.groupby("method")["lam"].nunique()
    methods = several.index[several > 1]
    return {*methods, *values.loc[values["method"].isin(methods), "baseline"].dropna()}


def _draw_dose(axis: Axes, rows: pd.DataFrame, style) -> None:
    for method, points in rows.groupby("method", sort=False):
        points = points.assign(lam=points["lam"].astype(float)).sort_values("lam")
        name, colour = points["row"].iloc[0].partition(", λ")[0], style(method)["color"]
        if (points["lam"] == 0).all():
            axis.axhline(points["mean"].iloc[0], color=colour, linewidth=0.9, linestyle="--", label=name)
            axis.axhspan(points["low"].iloc[0], points["high"].iloc[0], color=colour, alpha=0.12, linewidth=0)
            continue
        errors = [points["mean"] - points["low"], points["high"] - points["mean"]]
        marks = {**style(method), "markersize": 3, "linewidth": 0.9, "elinewidth": 0.8}
        axis.errorbar(points["lam"], points["mean"], yerr=errors, label=f"{name} (95% t interval)", **marks)
    axis.set_xscale("log")
    tidy_axis(axis, along="both")
