"""Panels of the FairCLIP figures: one line per method, one row of panels per attribute."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from clipfair.tables.common.compare import NOT_COMPARABLE
from clipfair.tables.common.figure_parts import OVER_SEEDS, add_note, bounded_bars, dodge, explain_arrows
from clipfair.tables.common.metric_name import ARROWS
from clipfair.tables.common.palette import COLOURS
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.fairclip.selection import on_trained_attribute

ENCODER_COLOURS = [COLOURS[4], COLOURS[5], COLOURS[3], COLOURS[6]]
# Markers and similar characters, for titles that serve as legends.
GROUP_MARKERS = [
    ("o", "●"),
    ("s", "■"),
    ("^", "▲"),
    ("D", "◆"),
    ("v", "▼"),
    ("<", "◀"),
    (">", "▶"),
    ("P", "✚"),
    ("*", "★"),
]
WIDTH = 7.0  # inches: two columns of text
SMALL = "x-small"
TITLE_ROOM = 88  # characters above all panels of a row


@dataclass(frozen=True)
class Column:
    """One column of panels: a measure of all examples, or of each group."""

    measure: str
    title: str
    by_group: bool = False
    log: bool = False


def draw_grid(table: pd.DataFrame, columns: Sequence[Column]) -> Figure:
    """Draw a row of panels per attribute, a column per measure, a line per method, a colour per encoder.

    A method that is trained for attributes is drawn on these alone; the table has it on all. Filled points
    are ours with the standard deviation over seeds, hollow ones published (where comparable).

    Parameters
    ----------
    table
        A table of :func:`~.summary.summarise`, or its ``.compare.csv``.
    """
    table = with_texts(table)
    shown = table[table["measure"].isin([column.measure for column in columns]) & on_trained_attribute(table)]
    attributes = [attribute for attribute in dict.fromkeys(shown["attribute"]) if attribute]
    rows = {
        attribute: list(dict.fromkeys(shown.loc[shown["attribute"] == attribute, "row"]))
        for attribute in attributes
    }
    most = shown.groupby("attribute")["group"].nunique()
    # Inches: the title names the groups; more than three of them need higher rows.
    row_heights = 0.12 + 0.03 * (most - 3).clip(lower=0)
    heights = [0.55 + row_heights[name] * len(rows[name]) + 0.06 * most[name] for name in attributes]
    figure = Figure(figsize=(WIDTH, 0.5 + sum(heights)), layout="constrained")
    axes = figure.subplots(len(attributes), len(columns), squeeze=False, height_ratios=heights)
    for row, attribute in zip(axes, attributes, strict=True):
        for place, (axis, column) in enumerate(zip(row, columns, strict=True)):
            _draw_panel(axis, shown, attribute, rows[attribute], column, room=TITLE_ROOM // len(columns))
            labels = rows[attribute] if place == 0 else []
            axis.set_yticks(range(len(labels)), labels, fontsize=SMALL)
            axis.set_ylim(len(rows[attribute]) - 0.4, -0.6)
        row[0].set_ylabel(attribute, fontsize="medium")
    marks = {"filled": "ours", "hollow": "published"} if has_published(shown) else {}
    add_legend(figure, list(dict.fromkeys(shown["encoder"])), **marks)
    arrows = explain_arrows(MEASURES[column.measure] for column in columns)
    add_note(
        figure, arrows, OVER_SEEDS, "A method trained for an attribute is drawn on that attribute alone."
    )
    return figure


def with_texts(table: pd.DataFrame) -> pd.DataFrame:
    """A table read from a file, with empty strings for a missing attribute or group."""
    texts = {name: table[name].astype(object).fillna("") for name in ("attribute", "group")}
    return table.assign(**texts)


def has_published(table: pd.DataFrame) -> bool:
    """Return whether any published value is comparable with ours."""
    return "published_mean" in table and not _comparable(table).empty


def _comparable(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["published_mean"].notna() & ~table["verdict"].str.startswith(NOT_COMPARABLE)]


def add_legend(figure: Figure, encoders: Sequence[str], *, filled: str = "", hollow: str = "") -> None:
    """Add a legend above the panels: the colours of the encoders, the meaning of filled and hollow points."""
    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="none", markersize=4, label=encoder)
        for encoder, colour in zip(encoders, ENCODER_COLOURS, strict=False)
    ]
    for label, face in ((filled, "grey"), (hollow, "none")):
        if label:
            marks = {"marker": "o", "markerfacecolor": face, "linestyle": "none", "markersize": 5}
            handles.append(Line2D([], [], color="grey", label=label, **marks))
    figure.legend(
        handles=handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize="small"
    )


def limit_log_ticks(axis: Axis) -> None:
    """Keep powers of ten on a logarithmic axis, and 3 times these if it spans less than two."""
    low, high = axis.get_view_interval()
    if 0 < low < high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1, 3)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def tidy_axis(axis: Axes, *, along: str) -> None:
    """Set small labels and a light grid along one direction."""
    axis.grid(axis=along, color="0.9", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(which="both", labelsize=SMALL, length=2)


def _draw_panel(
    axis: Axes, table: pd.DataFrame, attribute: str, rows: list[str], column: Column, *, room: int
) -> None:
    chosen = table[(table["measure"] == column.measure) & (table["attribute"] == attribute)]
    chosen = chosen[(chosen["group"] != "") if column.by_group else (chosen["group"] == "")]
    groups = list(dict.fromkeys(chosen["group"]))
    encoders = list(dict.fromkeys(table["encoder"]))
    for encoder, colour in zip(encoders, ENCODER_COLOURS, strict=False):
        middle = 0.3 * (encoders.index(encoder) - (len(encoders) - 1) / 2)
        for number, (group, (marker, _)) in enumerate(zip(groups, GROUP_MARKERS, strict=False)):
            # Groups are spread over a part of their row, so that equal values stay visible.
            offset = middle + dodge(number, len(groups), width=0.5 / len(encoders))
            points = chosen[(chosen["encoder"] == encoder) & (chosen["group"] == group)]
            places = [rows.index(row) + offset for row in points["row"]]
            style = {"color": colour, "marker": marker, "linestyle": "none"}
            bars = bounded_bars(points["mean"], points["std"], MEASURES[column.measure])
            axis.errorbar(points["mean"], places, xerr=bars, markersize=3, elinewidth=0.7, **style)
            if has_published(points):
                comparable = _comparable(points)
                places = [rows.index(row) + offset for row in comparable["row"]]
                hollow = {"markerfacecolor": "none", "markersize": 5, "markeredgewidth": 0.7}
                axis.plot(comparable["published_mean"], places, **style, **hollow)
    if column.log:
        axis.set_xscale("log", nonpositive="clip")
        limit_log_ticks(axis.xaxis)
    arrow = ARROWS[MEASURES[column.measure].better]
    axis.set_title(f"{column.title} {arrow}" + _group_key(groups, room=room), fontsize=SMALL)
    tidy_axis(axis, along="x")


def _group_key(groups: Sequence[str], *, room: int) -> str:
    """The groups with their markers, in lines of at most ``room`` characters."""
    lines: list[str] = []
    for group, (_, sign) in zip(groups, GROUP_MARKERS, strict=False):
        if not group:
            continue
        named = f"{sign} {group}"
        if lines and len(lines[-1]) + len(named) + 2 <= room:
            lines[-1] += f"  {named}"
        else:
            lines.append(named)
    return "".join(f"\n{line}" for line in lines)


def series_styles(names: Sequence[str]) -> Callable[[str], dict]:
    """A function from each of up to 63 names to its colour and marker; colours differ first."""
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    markers = [marker for marker, _ in GROUP_MARKERS]

    def style(name: str) -> dict:
        place = places[name]
        return {
            "color": COLOURS[place % len(COLOURS)],
            "marker": markers[(place + place // len(COLOURS)) % len(markers)],
        }

    return style
