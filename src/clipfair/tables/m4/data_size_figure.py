"""Figures 2, 4, 13, 15 of CLIP the Bias: bias over the examples seen, by model and condition."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clipfair.tables.common.figure_parts import dodge
from clipfair.tables.m4 import plotting
from clipfair.tables.m4.metric_names import metric_name

SHIFTED = "Points of one number of examples are shifted sideways."
P_VALUES = (
    "p-values: the paper's signed-rank test that column and row have the same effect, all pairs of runs; "
    "dark grey below 0.05."
)


@plotting.paper_style
def draw(table: pd.DataFrame) -> Figure:
    """Draw one panel per model, one row per dataset, and the p-values at the end of each row.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.m4.data_size`.
    """
    curves, tests = (table[table["part"] == part] for part in ("values", "tests"))
    panels, models = curves["panel"].unique(), curves["model_label"].unique()
    conditions = list(curves["condition"].unique())
    styles = plotting.series_styles(conditions)
    columns = len(models) + 1
    # One dataset: its models in rows of three. Several datasets: one row each, with a common scale.
    alone = len(panels) == 1
    across = min(3, columns) if alone else columns
    figure, axes = plotting.make_panels(columns * len(panels), columns=across, height=1.75 if alone else 1.3)
    handles: dict = {}
    for row, panel in enumerate(panels):
        row_axes = axes[row * columns : (row + 1) * columns]
        shown = curves[curves["panel"] == panel]
        for axis, model in zip(row_axes, models, strict=False):
            handles |= _draw_model(axis, shown[shown["model_label"] == model], styles, across)
        plotting.draw_p_values(row_axes[-1], tests[tests["panel"] == panel], conditions)
        _share_scale(row_axes[:-1], every=across)
        if alone or row == 0:
            for axis, title in zip(row_axes, [*models, "p-values"], strict=True):
                axis.set_title(title)
        if not alone:
            row_axes[0].set_ylabel(panel)
    if not alone:
        plotting.hide_inner_x_labels(axes, columns)
    plotting.label_y(figure, metric_name(curves["metric"].iloc[0]).directed)
    plotting.add_legend(figure, handles)
    plotting.explain_series(figure, curves, SHIFTED, P_VALUES)
    return figure


def _draw_model(axis: Axes, shown: pd.DataFrame, styles: dict, across: int) -> dict:
    """Draw the conditions over the examples seen, or side by side if there is only one checkpoint."""
    handles = {}
    sizes = shown["examples"].nunique()
    step = (shown["examples"].max() - shown["examples"].min()) * 0.03
    names = list(shown["condition"].unique())
    name = metric_name(shown["metric"].iloc[0])
    for at, condition in enumerate(names):
        frame = shown[shown["condition"] == condition].sort_values("examples")
        x = frame["examples"] + dodge(at, len(names), width=step) if sizes > 1 else [at]
        handles[condition] = plotting.draw_series(axis, x, frame, styles[condition], condition, name)
    if sizes > 1:
        plotting.format_example_counts(axis)
        axis.set_xlabel("examples seen")
    else:
        plotting.label_positions(axis, names, columns=across)
    plotting.draw_zero_line(axis)
    plotting.tidy_axis(axis)
    return handles


def _share_scale(axes: list[Axes], *, every: int) -> None:
    """Share the y axis, with the data of all panels in its limits; only the first of each row has numbers."""
    for at, axis in enumerate(axes):
        if at:
            axis.sharey(axes[0])
        axis.tick_params(labelleft=at % every == 0)
    # Sharing sets the limits to those of the first panel.
    axes[0].autoscale_view(scalex=False)
