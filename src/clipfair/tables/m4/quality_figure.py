"""Figures 6, 12, 17 to 20 of CLIP the Bias: quality by condition and model."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common import printed
from clipfair.tables.common.metric_names import name_of
from clipfair.tables.common.trained import OVERALL


@printed.as_printed
def draw(table: pd.DataFrame) -> Figure:
    """A panel a dataset, metric and group; models along x, or conditions where there is one model.

    Parameters
    ----------
    table
        Of :mod:`clipfair.tables.m4.quality`.
    """
    models, conditions = list(table["model_label"].unique()), list(table["condition"].unique())
    look = printed.looks(conditions)
    panels = list(table.groupby(["group", "metric", "panel"], sort=False))
    columns = _columns(table)
    figure, axes = printed.make_panels(len(panels), columns=columns, height=1.5)
    handles = {}
    for axis, ((_, metric, _), shown) in zip(axes, panels, strict=True):
        scale = name_of(metric).scale
        for at, condition in enumerate(conditions):
            frame = shown[shown["condition"] == condition]
            places = [models.index(label) for label in frame["model_label"]]
            x = [at] if len(models) == 1 else [place + printed.dodge(at, len(conditions)) for place in places]
            handles[condition] = printed.draw_series(
                axis, x[: len(frame)], frame, look[condition], condition, scale=scale, line="none"
            )
        printed.name_places(axis, conditions if len(models) == 1 else models, columns=columns)
        printed.finish(axis)
    names = [panel if group == OVERALL else f"{panel}, {group}" for (group, _, panel), _ in panels]
    printed.name_panels(figure, axes, names, [metric for (_, metric, _), _ in panels])
    printed.hide_inner_places(axes, columns)
    printed.put_legend(figure, handles if len(models) > 1 else {})
    return figure


def _columns(table: pd.DataFrame) -> int:
    """Datasets side by side, what is measured of them below each other, where that makes a rectangle."""
    sizes = set(table.groupby(["group", "metric"], sort=False)["panel"].nunique())
    size = sizes.pop()
    if not sizes and size in (2, 3, 4):
        return size
    return 3 if size == 9 or len(table[["metric", "panel"]].drop_duplicates()) == 6 else 4
