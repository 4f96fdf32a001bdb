"""Figure 11 of CLIP the Bias: fewer human examples, classification and retrieval."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.figures import printed
from clipfair.tables.metric_names import name_of


@printed.as_printed
def draw(table: pd.DataFrame) -> Figure:
    """A panel a dataset and metric; a line a model.

    Parameters
    ----------
    table
        Of :mod:`clipfair.tables.builders.human_share`.
    """
    models = list(table["model_label"].unique())
    look = printed.looks(models)
    panels = list(table.groupby(["metric", "panel"], sort=False))
    figure, axes = printed.make_panels(len(panels), columns=4 if len(panels) % 4 == 0 else 3, height=1.6)
    handles = {}
    for axis, ((metric, panel), shown) in zip(axes, panels, strict=True):
        name = name_of(metric)
        for model in models:
            frame = shown[shown["model_label"] == model].sort_values("human_share")
            x = 100 * frame["human_share"]
            handles[model] = printed.draw_series(axis, x, frame, look[model], model, scale=name.scale)
        axis.set_xticks([0, 25, 50, 75, 100])
        axis.set_xlabel("human examples kept (%)")
        axis.set_ylabel(name.axis)
        axis.set_title(panel)
        printed.finish(axis)
    printed.put_legend(figure, handles)
    return figure
