"""Figure 11 of CLIP the Bias: fewer human examples, classification and retrieval."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common import printed
from clipfair.tables.common.metric_names import name_of


@printed.as_printed
def draw(table: pd.DataFrame) -> Figure:
    """A panel a dataset and metric; a line a model.

    Parameters
    ----------
    table
        Of :mod:`clipfair.tables.m4.human_share`.
    """
    models = list(table["model_label"].unique())
    look = printed.looks(models)
    panels = list(table.groupby(["metric", "panel"], sort=False))
    columns = 3 if len(panels) in (3, 6) else 4
    figure, axes = printed.make_panels(len(panels), columns=columns, height=1.5)
    handles = {}
    for axis, ((metric, _), shown) in zip(axes, panels, strict=True):
        for model in models:
            frame = shown[shown["model_label"] == model].sort_values("human_share")
            x = 100 * frame["human_share"]
            handles[model] = printed.draw_series(
                axis, x, frame, look[model], model, scale=name_of(metric).scale
            )
        axis.set_xticks([0, 25, 50, 75, 100])
        axis.set_xlabel("human examples kept (%)")
        printed.finish(axis)
    metrics, names = zip(*(key for key, _ in panels), strict=True)
    printed.name_panels(figure, axes, names, metrics)
    printed.hide_inner_places(axes, columns)
    printed.put_legend(figure, handles)
    return figure
