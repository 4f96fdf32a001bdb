"""Figures 6, 12, 17 to 20 of CLIP the Bias: quality by condition and model."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.figures import printed
from clipfair.tables.metric_names import name_of
from clipfair.tables.trained import OVERALL


@printed.as_printed
def draw(table: pd.DataFrame) -> Figure:
    """A panel a dataset, metric and group; models along x, or conditions where there is one model.

    Parameters
    ----------
    table
        Of :mod:`clipfair.tables.builders.quality`.
    """
    models, conditions = table["model_label"].unique(), list(table["condition"].unique())
    look = printed.looks(conditions)
    panels = list(table.groupby(["group", "metric", "panel"], sort=False))
    figure, axes = printed.make_panels(len(panels), columns=_columns(table), height=1.7)
    handles = {}
    for axis, ((group, metric, panel), shown) in zip(axes, panels, strict=True):
        name = name_of(metric)
        for at, condition in enumerate(conditions):
            frame = shown[shown["condition"] == condition]
            places = [list(models).index(label) for label in frame["model_label"]]
            x = [at] if len(models) == 1 else [place + printed.dodge(at, len(conditions)) for place in places]
            handles[condition] = printed.draw_series(
                axis, x[: len(frame)], frame, look[condition], condition, scale=name.scale, line="none"
            )
        printed.name_places(axis, conditions if len(models) == 1 else models)
        printed.finish(axis)
        axis.set_title(panel if group == OVERALL else f"{panel}, {group}")
        axis.set_ylabel(name.axis)
    printed.put_legend(figure, handles if len(models) > 1 else {})
    return figure


def _columns(table: pd.DataFrame) -> int:
    """Datasets side by side, what is measured of them below each other, where that makes a rectangle."""
    sizes = set(table.groupby(["group", "metric"], sort=False)["panel"].nunique())
    size = sizes.pop()
    return size if not sizes and size in (2, 3, 4) else 3 if size == 9 else 4
