"""Every trial of the hyperparameter search: validation AUC against each parameter."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common.figure_parts import add_note, explain_arrows
from clipfair.tables.common.palette import COLOURS
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.fairclip.plotting import SMALL, WIDTH, limit_log_ticks, tidy_axis
from clipfair.tables.fairclip.search import parameters_of

LABELS = {"fairness.lam": "λ", "recipe.learning_rate": "learning rate"}


def draw(table: pd.DataFrame) -> Figure:
    """Draw one row of panels per search, one panel per parameter; the best trial is a diamond.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.fairclip.search`.
    """
    searches = [part for _, part in table.groupby("search", sort=False)]
    parameters = parameters_of(table)
    figure = Figure(figsize=(WIDTH, 0.4 + 2.1 * len(searches)), layout="constrained")
    axes = figure.subplots(len(searches), len(parameters), squeeze=False, sharey="row")
    for row, trials in zip(axes, searches, strict=True):
        ended, best = trials.dropna(subset=["value"]), trials[trials["rank"] == 1]
        for axis, name in zip(row, parameters, strict=True):
            axis.scatter(ended[name], 100 * ended["value"], s=9, color=COLOURS[4], label="trial")
            style = {"s": 30, "color": COLOURS[5], "marker": "D", "label": "best"}
            axis.scatter(best[name], 100 * best["value"], **style)
            axis.set_xscale("log")
            limit_log_ticks(axis.xaxis)
            axis.set_xlabel(LABELS.get(name, name), fontsize=SMALL)
            tidy_axis(axis, along="both")
        row[0].set_ylabel(f"best {MEASURES['validation_auc'].directed}", fontsize=SMALL)
        row[0].set_title(trials["search"].iloc[0], fontsize="small", loc="left")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    add_note(
        figure, explain_arrows([MEASURES["validation_auc"]]), "One point per trial that ended with a value."
    )
    return figure
