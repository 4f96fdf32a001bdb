"""Figure 11 of CLIP the Bias: fewer human examples, classification and retrieval."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.m4 import plotting
from clipfair.tables.m4.metric_names import metric_name


@plotting.paper_style
def draw(table: pd.DataFrame) -> Figure:
    """Draw one panel per dataset and metric, one line per model.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.m4.human_share`.
    """
    models = list(table["model_label"].unique())
    styles = plotting.series_styles(models)
    panels = list(table.groupby(["metric", "panel"], sort=False))
    columns = 3 if len(panels) in (3, 6) else 4
    figure, axes = plotting.make_panels(len(panels), columns=columns, height=1.5)
    handles = {}
    for axis, ((metric, _), shown) in zip(axes, panels, strict=True):
        for model in models:
            frame = shown[shown["model_label"] == model].sort_values("human_share")
            x = 100 * frame["human_share"]
            handles[model] = plotting.draw_series(axis, x, frame, styles[model], model, metric_name(metric))
        axis.set_xticks([0, 25, 50, 75, 100])
        axis.set_xlabel("human examples kept (%)")
        plotting.tidy_axis(axis)
    metrics, names = zip(*(key for key, _ in panels), strict=True)
    plotting.label_panels(figure, axes, names, metrics)
    plotting.hide_inner_x_labels(axes, columns)
    plotting.add_legend(figure, handles)
    plotting.explain_series(figure, table)
    return figure
