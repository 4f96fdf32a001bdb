"""The training curves of a batch: one panel per logged quantity, one line per seed."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLUMNS = 4
PANEL = (2.4, 1.7)  # inches
NOT_DRAWN = ("step", "examples")


def draw_curves(
    title: str, seeds: Sequence[int], logs: Sequence[pd.DataFrame], epochs: Sequence[pd.DataFrame]
) -> Figure:
    """Draw every quantity against the examples seen.

    Parameters
    ----------
    seeds
        Of the runs.
    logs
        The log.csv of each run: ``examples``, and a column per quantity.
    epochs
        The epochs.csv of each run, without rows if no epoch was validated.
    """
    curves = [
        {**_logged(log), **_validated(validations)} for log, validations in zip(logs, epochs, strict=True)
    ]
    names = list(dict.fromkeys(name for of_run in curves for name in of_run))
    rows = math.ceil(len(names) / COLUMNS)
    figure = Figure(figsize=(COLUMNS * PANEL[0], rows * PANEL[1] + 0.4), layout="constrained")
    figure.suptitle(title, fontsize=8)
    for number, name in enumerate(names, start=1):
        axis = figure.add_subplot(rows, COLUMNS, number)
        _draw_panel(
            axis, name, {seed: one[name] for seed, one in zip(seeds, curves, strict=True) if name in one}
        )
    if len(seeds) > 1:
        figure.axes[0].legend(fontsize=6)
    return figure


def _logged(log: pd.DataFrame) -> dict[str, pd.Series]:
    return {name: log.set_index("examples")[name] for name in log.columns if name not in NOT_DRAWN}


def _validated(epochs: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the AUC of each split after each epoch."""
    if epochs.empty:
        return {}
    auc = epochs[epochs["metric"] == "auc"]
    return {
        f"{split} AUC": rows.set_index("examples")["value"]
        for split, rows in auc.groupby("split", sort=False)
    }


def _draw_panel(axis: Axes, name: str, curves: Mapping[int, pd.Series]) -> None:
    for seed, curve in curves.items():
        axis.plot(curve.index, curve.to_numpy(), linewidth=0.8, label=f"seed {seed}")
    axis.set_title(name.replace("_", " "), fontsize=7)
    axis.set_xlabel("examples seen", fontsize=6)
    axis.tick_params(labelsize=6)
    axis.grid(linewidth=0.3)
