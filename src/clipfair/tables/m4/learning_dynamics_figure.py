"""Figures 3, 5, 14, 16 of CLIP the Bias: bias by how long, and when, the balanced data were seen."""

from itertools import product

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common import printed
from clipfair.tables.common.metric_names import name_of


@printed.as_printed
def draw(table: pd.DataFrame) -> Figure:
    """On the left one distribution first, on the right the other; a row a dataset, a line a model.

    Parameters
    ----------
    table
        Of :mod:`clipfair.tables.m4.learning_dynamics`.
    """
    panels, orders = table["panel"].unique(), table["order"].unique()
    models = list(table["model_label"].unique())
    look = printed.looks(models)
    figure, axes = printed.make_panels(
        len(panels) * len(orders), columns=len(orders), height=1.5, width=printed.PAGE * 0.8, sharey="row"
    )
    handles = {}
    name = name_of(table["metric"].iloc[0])
    for axis, (panel, order) in zip(axes, product(panels, orders), strict=True):
        shown = table[(table["panel"] == panel) & (table["order"] == order)]
        for at, model in enumerate(models):
            frame = shown[shown["model_label"] == model].sort_values("stage_1")
            x = 100 * frame["stage_1"] + printed.dodge(at, len(models), width=3)
            handles[model] = printed.draw_series(axis, x, frame, look[model], model, scale=name.scale)
        axis.set_xticks([round(100 * share) for share in sorted(shown["stage_1"].unique())])
        printed.mark_zero(axis)
        printed.finish(axis)
        if panel == panels[0]:
            axis.set_title(order)
        axis.set_xlabel("examples in stage 1 (%)")
        if order == orders[0] and len(panels) > 1:
            axis.set_ylabel(panel)
    printed.hide_inner_places(axes, len(orders))
    printed.name_y(figure, name.axis)
    printed.put_legend(figure, handles)
    return figure
