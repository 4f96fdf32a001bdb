"""Figures 3, 5, 14, 16 of CLIP the Bias: bias by the share and order of balanced data in training."""

from itertools import product

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common.figure_parts import dodge
from clipfair.tables.m4 import plotting
from clipfair.tables.m4.metric_names import metric_name


@plotting.paper_style
def draw(table: pd.DataFrame) -> Figure:
    """Draw one distribution first on the left, the other first on the right; one row per dataset.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.m4.learning_dynamics`.
    """
    panels, orders = table["panel"].unique(), table["order"].unique()
    models = list(table["model_label"].unique())
    styles = plotting.series_styles(models)
    figure, axes = plotting.make_panels(
        len(panels) * len(orders), columns=len(orders), height=1.5, width=plotting.PAGE * 0.8, sharey="row"
    )
    handles = {}
    name = metric_name(table["metric"].iloc[0])
    for axis, (panel, order) in zip(axes, product(panels, orders), strict=True):
        shown = table[(table["panel"] == panel) & (table["order"] == order)]
        for at, model in enumerate(models):
            frame = shown[shown["model_label"] == model].sort_values("stage_1")
            x = 100 * frame["stage_1"] + dodge(at, len(models), width=2)
            handles[model] = plotting.draw_series(axis, x, frame, styles[model], model, name)
        axis.set_xticks([round(100 * share) for share in sorted(shown["stage_1"].unique())])
        plotting.draw_zero_line(axis)
        plotting.tidy_axis(axis)
        if panel == panels[0]:
            axis.set_title(order)
        axis.set_xlabel("examples in stage 1 (%)")
        if order == orders[0] and len(panels) > 1:
            axis.set_ylabel(panel)
    plotting.hide_inner_x_labels(axes, len(orders))
    plotting.label_y(figure, name.directed)
    plotting.add_legend(figure, handles)
    shifted = "Points of one share are shifted by up to one percentage point." if len(models) > 1 else ""
    plotting.explain_series(figure, table, shifted)
    return figure
