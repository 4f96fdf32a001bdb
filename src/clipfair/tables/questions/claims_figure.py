"""The claims of a question: the differences of the units, their mean and interval, and the margin."""

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from clipfair.metrics.verdicts import DOES_NOT_HOLD, EQUIVALENT, HOLDS
from clipfair.tables.common.findings import IDENTICAL
from clipfair.tables.common.palette import COLOURS
from clipfair.tables.fairclip.plotting import SMALL, WIDTH, tidy_axis
from clipfair.tables.questions.measures import MEASURES, POINTS

VERDICT_COLOURS = {HOLDS: COLOURS[3], EQUIVALENT: COLOURS[4], DOES_NOT_HOLD: COLOURS[5]}
UNDECIDED_COLOUR = "0.4"
BAND = "0.88"
ROW, PANEL, LEGEND = 0.3, 0.65, 0.5  # inches
LABEL_WIDTH, VERDICT_WIDTH = 46, 32  # characters
BETTER = {measure.name: measure.better for measure in MEASURES.values()}
ARROWS = {"lower": "better: left", "higher": "better: right", "": ""}


def draw(table: pd.DataFrame) -> Figure:
    """Draw a panel for each metric, a row for each claim.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.questions.question`.
    """
    figure = Figure(figsize=(WIDTH, _claims_height(table)), layout="constrained")
    _draw_claims(figure, table)
    return figure


def _claims_height(table: pd.DataFrame) -> float:
    """The height in inches that the claims of a table need."""
    claims = table[table["part"] == "claims"]
    return LEGEND + PANEL * len(_panels(claims)) + ROW * len(claims)


def draw_claims_above(table: pd.DataFrame, height: float) -> tuple[Figure, SubFigure]:
    """Draw the claims of a table; return the figure and its part below them, ``height`` inches high."""
    needed = _claims_height(table)
    figure = Figure(figsize=(WIDTH, needed + height), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[needed, height])
    _draw_claims(above, table)
    return figure, below


def _draw_claims(figure: Figure | SubFigure, table: pd.DataFrame) -> None:
    """Draw the claims of a table with a legend into a figure, or a part of one."""
    claims, units = (table[table["part"] == part] for part in ("claims", "units"))
    panels = _panels(claims)
    heights = [PANEL + ROW * len(panel) for panel in panels]
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        _draw_panel(axis, panel, units)
    figure.legend(handles=_handles(), loc="outside upper center", ncols=3, frameon=False, fontsize=SMALL)


def _panels(claims: pd.DataFrame) -> list[pd.DataFrame]:
    return [panel for _, panel in claims.groupby("metric", sort=False)]


def _draw_panel(axis: Axes, panel: pd.DataFrame, units: pd.DataFrame) -> None:
    for place, claim in enumerate(panel.itertuples()):
        shown = EQUIVALENT if claim.verdict == IDENTICAL else claim.verdict
        colour = VERDICT_COLOURS.get(shown, UNDECIDED_COLOUR)
        band = {"color": BAND, "linewidth": 0, "zorder": 0}
        axis.fill_betweenx([place - 0.5, place + 0.5], -claim.margin, claim.margin, **band)
        found = units.loc[units["claim"] == claim.claim, "mean"].to_numpy()
        # Spread evenly across the row, so that equal values stay visible.
        offsets = np.linspace(-0.28, 0.28, len(found)) if len(found) > 1 else np.zeros(len(found))
        axis.plot(found, place + offsets, "o", color=colour, alpha=0.45, markersize=2.5, markeredgewidth=0)
        if not pd.isna(claim.low):
            axis.hlines(place, claim.low, claim.high, color=colour, linewidth=1.8)
        axis.plot(claim.mean, place, "D", color=colour, markersize=4.5, markeredgecolor="white")
        text = fill(claim.verdict, VERDICT_WIDTH)
        axis.text(
            1.01, place, text, transform=axis.get_yaxis_transform(), va="center", fontsize=SMALL, color=colour
        )
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(panel)), [_label(claim) for claim in panel.itertuples()], fontsize=SMALL)
    axis.set_ylim(len(panel) - 0.5, -0.5)
    _limit(axis, panel, units)
    axis.set_xlabel(_axis_label(panel), fontsize=SMALL)
    tidy_axis(axis, along="x")


def _limit(axis: Axes, panel: pd.DataFrame, units: pd.DataFrame) -> None:
    """Show all units, intervals and margins, and zero."""
    found = units.loc[units["claim"].isin(panel["claim"]), "mean"]
    ends = [*found, *panel["low"], *panel["high"], *panel["margin"], *-panel["margin"], 0.0]
    low, high = np.nanmin(ends), np.nanmax(ends)
    axis.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))


def _label(claim) -> str:
    name = claim.claim.partition(" ")[0]
    text = f"{name} {claim.of} less {claim.less} ({claim.world}; claimed: {claim.expected})"
    return fill(text, LABEL_WIDTH, break_on_hyphens=False)


def _axis_label(panel: pd.DataFrame) -> str:
    metric, unit = panel["metric"].iloc[0], panel["unit"].iloc[0]
    direction = ARROWS[BETTER.get(metric, "")]
    margins = " or ".join(f"{margin:g}" for margin in sorted(set(panel["margin"])))
    words = [f"difference in {metric}", "points" if unit == POINTS else "", direction, f"margin: {margins}"]
    return ", ".join(word for word in words if word)


def _handles() -> list:
    shown = {
        verdict: VERDICT_COLOURS.get(verdict, UNDECIDED_COLOUR)
        for verdict in [*VERDICT_COLOURS, "undecided or not judged"]
    }
    return [
        Line2D(
            [], [], color="0.4", marker="o", linestyle="none", markersize=2.5, alpha=0.6, label="one unit"
        ),
        Line2D([], [], color="0.4", marker="D", markersize=4.5, linewidth=1.8, label="mean, 95% t interval"),
        Patch(color=BAND, label="within the margin"),
        *(Line2D([], [], color=colour, linewidth=4, label=verdict) for verdict, colour in shown.items()),
    ]
