"""Paired differences of every switched setting, with their intervals."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common.figure_parts import add_note, explain_arrows
from clipfair.tables.common.metric_name import ARROWS
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.fairclip.plotting import ENCODER_COLOURS, SMALL, WIDTH, add_legend, tidy_axis

LEVEL = 0.05


def draw(table: pd.DataFrame) -> Figure:
    """Draw one panel per measure, one row per switch; filled points differ from zero after Holm's correction.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.fairclip.switches`.
    """
    rows, encoders = list(dict.fromkeys(table["row"])), list(dict.fromkeys(table["encoder"]))
    measures = dict.fromkeys(table["measure"])
    figure = Figure(figsize=(WIDTH, 1.6 + 0.24 * len(rows)), layout="constrained")
    axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axis, measure in zip(axes, measures, strict=True):
        cells = table[table["measure"] == measure]
        for place, encoder in enumerate(encoders):
            offset = 0.25 * (place - (len(encoders) - 1) / 2)
            for cell in cells[cells["encoder"] == encoder].itertuples():
                colour, y = ENCODER_COLOURS[place], rows.index(cell.row) + offset
                axis.hlines(y, cell.low, cell.high, color=colour, linewidth=0.9)
                face = colour if cell.p_holm < LEVEL else "white"
                axis.plot(cell.difference, y, "o", color=colour, markerfacecolor=face, markersize=4)
        axis.axvline(0, color="black", linewidth=0.7)
        log = cells["unit"].iloc[0] == "log10"
        unit = "log10 ratio" if log else "points"
        arrow = ARROWS.get(MEASURES[measure].better, "")
        name = cells["metric"].iloc[0].replace(" ", "\n")
        axis.set_title(f"{name} {arrow}".rstrip(), fontsize=SMALL)
        axis.set_xlabel(unit, fontsize=SMALL)
        tidy_axis(axis, along="x")
        _widen(axis)
    axes[0].set_yticks(range(len(rows)), rows, fontsize=SMALL)
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    add_legend(figure, encoders, filled="differs from zero after Holm's correction", hollow="undecided")
    add_note(
        figure,
        explain_arrows(MEASURES[measure] for measure in measures),
        "Points: mean difference over seeds, tested by the exact sign-flip test; bars: its 95% t interval.",
    )
    return figure


def _widen(axis) -> None:
    """Widen the axis if all differences are zero."""
    low, high = axis.get_xlim()
    if high - low < 1e-3:
        axis.set_xlim(-1, 1)
