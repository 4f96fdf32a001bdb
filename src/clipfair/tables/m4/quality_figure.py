"""Figures 6, 12, 17 to 20 of CLIP the Bias: quality by condition and model."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.m4 import plotting
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.selection import OVERALL


@plotting.paper_style
def draw(table: pd.DataFrame) -> Figure:
    """Draw one panel per dataset, metric and group; models along x, or conditions if there is one model.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.m4.quality`.
    """
    models, conditions = list(table["model_label"].unique()), list(table["condition"].unique())
    styles = plotting.series_styles(conditions)
    panels = list(table.groupby(["group", "metric", "panel"], sort=False))
    columns = _columns(table)
    figure, axes = plotting.make_panels(len(panels), columns=columns, height=1.5)
    handles = {}
    for axis, ((_, metric, _), shown) in zip(axes, panels, strict=True):
        scale = metric_name(metric).scale
        for at, condition in enumerate(conditions):
            frame = shown[shown["condition"] == condition]
            places = [models.index(label) for label in frame["model_label"]]
            x = (
                [at]
                if len(models) == 1
                else [place + plotting.dodge(at, len(conditions)) for place in places]
            )
            handles[condition] = plotting.draw_series(
                axis, x[: len(frame)], frame, styles[condition], condition, scale=scale, line="none"
            )
        plotting.label_positions(axis, conditions if len(models) == 1 else models, columns=columns)
        plotting.tidy_axis(axis)
    names = [panel if group == OVERALL else f"{panel}, {group}" for (group, _, panel), _ in panels]
    plotting.label_panels(figure, axes, names, [metric for (_, metric, _), _ in panels])
    plotting.hide_inner_x_labels(axes, columns)
    plotting.add_legend(figure, handles if len(models) > 1 else {})
    return figure


def _columns(table: pd.DataFrame) -> int:
    """The number of columns: the datasets if every metric has the same ones, else three or four."""
    sizes = set(table.groupby(["group", "metric"], sort=False)["panel"].nunique())
    size = sizes.pop()
    if not sizes and size in (2, 3, 4):
        return size
    return 3 if size == 9 or len(table[["metric", "panel"]].drop_duplicates()) == 6 else 4
