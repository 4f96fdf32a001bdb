"""The trials of a search as a picture: the value against each setting, and how the best one came about."""

from collections.abc import Mapping

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, LINE, BEST = "#0072B2", "#000000", "#D55E00"


def draw_trials(trials: pd.DataFrame, space: Mapping[str, Mapping]) -> Figure:
    """A panel for the trials in their order with the best so far, and one for each setting.

    Parameters
    ----------
    trials
        ``trial``, a column for each name of ``space``, ``value`` (a share; shown in percent).
    """
    valued = trials.dropna(subset=["value"])
    figure = Figure(figsize=(3.6 * (1 + len(space)), 3.2), layout="constrained")
    axes = figure.subplots(1, 1 + len(space), sharey=True, squeeze=False)[0]
    _scatter(axes[0], valued["trial"], valued["value"], "trial")
    axes[0].step(valued["trial"], 100 * valued["value"].cummax(), where="post", color=LINE, linewidth=1)
    axes[0].set_ylabel("best validation AUC (%)")
    for axis, (name, line) in zip(axes[1:], space.items(), strict=True):
        _scatter(axis, valued[name], valued["value"], name.rpartition(".")[2].replace("_", " "))
        if line.get("log"):
            axis.set_xscale("log")
    missing = len(trials) - len(valued)
    axes[0].set_title(f"{len(trials)} trials" + (f", {missing} without a value" if missing else ""))
    return figure


def _scatter(axis: Axes, xs: pd.Series, values: pd.Series, name: str) -> None:
    best = values.idxmax()
    axis.scatter(xs, 100 * values, s=14, color=INK, alpha=0.7, linewidths=0)
    axis.scatter(xs[best], 100 * values[best], s=60, marker="*", color=BEST, zorder=3)
    axis.set_xlabel(name)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(color=mpl.rcParams["grid.color"], linewidth=0.4)
