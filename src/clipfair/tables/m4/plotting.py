"""Parts of the figures of CLIP the Bias: sizes in print, one style per condition, panels, p-values."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from clipfair.tables.common.figure_parts import OVER_SEEDS, add_note, bounded_bars, explain_arrows
from clipfair.tables.common.metric_name import ARROWS, MetricName
from clipfair.tables.common.palette import COLOURS
from clipfair.tables.m4.metric_names import metric_name

# Inches: the width of the page.
PAGE = 7.0

# The smallest legible text at the printed size of the figure.
STYLE = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
paper_style = mpl.rc_context(STYLE)

# Width of one character of a tick label in inches, with a margin.
CHARACTER = 0.07

# Distinct in colour, lightness and shape, for colour-blind readers and greyscale prints.
STYLES = [
    {"color": COLOURS[0], "marker": "o"},
    {"color": COLOURS[1], "marker": "s"},
    {"color": COLOURS[4], "marker": "^"},
    {"color": COLOURS[6], "marker": "D"},
    {"color": COLOURS[3], "marker": "v"},
    {"color": COLOURS[2], "marker": "P"},
    {"color": COLOURS[5], "marker": "X"},
]
FIXED = {"baseline": STYLES[0], "balanced": STYLES[1], "proxies": STYLES[2]}
LINES = {"linewidth": 1.0, "markersize": 3.2, "elinewidth": 0.7, "capsize": 1.5, "capthick": 0.7}


def series_styles(names: Sequence[str]) -> dict[str, dict]:
    """The colour and marker of each name; the paper's conditions have the same ones in every figure."""
    fixed = {name: FIXED[name] for name in names if name in FIXED}
    free = [style for style in STYLES if style not in fixed.values()]
    others = [name for name in dict.fromkeys(names) if name not in fixed]
    return fixed | {name: free[at % len(free)] for at, name in enumerate(others)}


def make_panels(
    n: int, *, columns: int, height: float = 1.6, width: float = PAGE, sharey: bool | str = False
) -> tuple[Figure, list[Axes]]:
    """A figure with ``n`` panels in rows of at most ``columns``; ``height`` inches a row."""
    sizes = [min(columns, n - start) for start in range(0, n, columns)]
    return make_rows(sizes, height=height, width=width, sharey=sharey)


def make_rows(
    sizes: Sequence[int], *, height: float, width: float = PAGE, sharey: bool | str = False
) -> tuple[Figure, list[Axes]]:
    """A figure with one row for each of ``sizes``, the number of its panels; ``height`` inches per row."""
    figure = Figure(figsize=(width, height * len(sizes) + 0.6), layout="constrained")
    grid = figure.subplots(len(sizes), max(sizes), squeeze=False, sharey=sharey)
    for row, size in zip(grid, sizes, strict=True):
        for spare in row[size:]:
            spare.remove()
    return figure, [axis for row, size in zip(grid, sizes, strict=True) for axis in row[:size]]


def draw_series(
    axis: Axes,
    x: Sequence[float],
    frame: pd.DataFrame,
    style: Mapping,
    label: str,
    name: MetricName,
    *,
    line: str = "-",
) -> ErrorbarContainer:
    """Draw the means of ``frame``, with the standard deviations over seeds as error bars where defined.

    The bars are cut at the bounds of the metric.
    """
    means, deviations = frame["mean"] * name.scale, frame["std"] * name.scale
    return axis.errorbar(
        x,
        means,
        yerr=bounded_bars(means, deviations, name) if deviations.notna().any() else None,
        linestyle=line,
        label=label,
        **style,
        **LINES,
    )


def tidy_axis(axis: Axes, *, ticks: int = 5) -> None:
    """Draw light grid lines behind the data, and at most ``ticks`` numbers along y."""
    axis.grid(axis="y", color="0.92", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.yaxis.set_major_locator(MaxNLocator(ticks))


def draw_zero_line(axis: Axes) -> None:
    """Draw a horizontal line at zero (no bias)."""
    axis.axhline(0, color="0.4", linewidth=0.6, zorder=0.5)


def label_positions(axis: Axes, names: Sequence[str], *, columns: int, width: float = PAGE) -> None:
    """Label the positions 0, 1, ... along x; rotate labels that would overlap with this many columns."""
    room = (width / columns - 0.5) / CHARACTER
    overlap = max(map(len, names)) * len(names) > room
    rotation = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if overlap else {}
    axis.set_xticks(range(len(names)), names, **rotation)
    axis.set_xlim(-0.6, len(names) - 0.4)


def label_panels(figure: Figure, axes: Sequence[Axes], panels: Sequence[str], metrics: Sequence[str]) -> None:
    """Set the titles of the panels; a single metric is named once for all, several above each panel."""
    single = len(set(metrics)) == 1
    for axis, panel, metric in zip(axes, panels, metrics, strict=True):
        name = metric_name(metric)
        axis.set_title(panel if single else f"{panel}\n{name.text} {ARROWS.get(name.better, '')}".rstrip())
        axis.set_ylabel("" if single else name.unit)
    if single:
        label_y(figure, name.directed)


def label_y(figure: Figure, text: str) -> None:
    """Set one y label for all panels."""
    figure.supylabel(text, fontsize=STYLE["axes.labelsize"])


def hide_inner_x_labels(axes: Sequence[Axes], columns: int) -> None:
    """Keep the x labels only of panels without a panel below."""
    for axis in axes[: max(len(axes) - columns, 0)]:
        axis.set_xlabel("")
        axis.tick_params(labelbottom=False)


def format_example_counts(axis: Axes) -> None:
    """Write the numbers along x as 500k, 10M, 1B."""
    axis.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))


def short_count(value: float) -> str:
    """``1.5M`` for 1,500,000."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def add_legend(figure: Figure, handles: Mapping[str, object]) -> None:
    """Add one legend above all panels, if there are at least two series."""
    if len(handles) > 1:
        figure.legend(
            handles.values(), handles, loc="outside upper center", ncols=len(handles), frameon=False
        )


def explain_series(figure: Figure, table: pd.DataFrame, *more: str) -> None:
    """Note the meaning of arrows and error bars of the series of ``table`` below all panels."""
    bars = OVER_SEEDS if table["std"].notna().any() else "One seed, so no error bars."
    add_note(figure, explain_arrows(map(metric_name, table["metric"].unique())), bars, *more)


def draw_p_values(axis: Axes, tests: pd.DataFrame, names: Sequence[str]) -> None:
    """Draw the matrix of p-values of column against row, darker where p < 0.05."""
    p = {(row.against, row.condition): row.p_value for row in tests.itertuples()}
    for at, row in enumerate(names):
        for place, column in enumerate(names):
            value = p.get((row, column))
            colour = "0.97" if value is None or pd.isna(value) else "0.75" if value < 0.05 else "0.9"
            axis.add_patch(
                mpl.patches.Rectangle((place - 0.5, at - 0.5), 1, 1, facecolor=colour, edgecolor="white")
            )
            axis.text(place, at, _p_text(value), ha="center", va="center", fontsize=6)
    axis.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), names)
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _p_text(value: float | None) -> str:
    if value is None or pd.isna(value):
        return "-"
    return f"{value:.0e}".replace("e-0", "e-") if value < 0.001 else f"{value:.3f}"
