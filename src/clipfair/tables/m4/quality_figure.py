"""Figures 6, 12, 17 to 20 of CLIP the Bias: quality by condition and model."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common.figure_parts import dodge
from clipfair.tables.m4 import plotting
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.selection import OVERALL


@plotting.paper_style
def draw(table: pd.DataFrame) -> Figure:
    """Draw one panel per dataset, metric and group; models along x, or conditions if there is one model.

    Classification is on top, retrieval below.

    Parameters
    ----------
    table
        The table of :mod:`clipfair.tables.m4.quality`.
    """
    models, conditions = list(table["model_label"].unique()), list(table["condition"].unique())
    styles = plotting.series_styles(conditions)
    panels = sorted(table.groupby(["group", "metric", "panel"], sort=False), key=_is_retrieval)
    sizes = _row_sizes(panels)
    columns = max(sizes)
    figure, axes = plotting.make_rows(sizes, height=1.5)
    handles = {}
    for axis, ((_, metric, _), shown) in zip(axes, panels, strict=True):
        for at, condition in enumerate(conditions):
            frame = shown[shown["condition"] == condition]
            places = [models.index(label) for label in frame["model_label"]]
            x = [at] if len(models) == 1 else [place + dodge(at, len(conditions)) for place in places]
            handles[condition] = plotting.draw_series(
                axis, x[: len(frame)], frame, styles[condition], condition, metric_name(metric), line="none"
            )
        plotting.label_positions(axis, conditions if len(models) == 1 else models, columns=columns)
        plotting.tidy_axis(axis)
    names = [panel if group == OVERALL else f"{panel}, {group}" for (group, _, panel), _ in panels]
    plotting.label_panels(figure, axes, names, [metric for (_, metric, _), _ in panels])
    plotting.hide_inner_x_labels(axes, columns)
    plotting.add_legend(figure, handles if len(models) > 1 else {})
    plotting.explain_series(figure, table)
    return figure


Panel = tuple[tuple[str, str, str], pd.DataFrame]


def _is_retrieval(panel: Panel) -> bool:
    (_, metric, _), _ = panel
    return "recall" in metric


def _row_sizes(panels: Sequence[Panel]) -> list[int]:
    """The number of panels of each row; classification and retrieval do not share a row."""
    parts = [list(part) for _, part in groupby(panels, key=_is_retrieval)]
    sizes = []
    for part in parts:
        columns = _columns([key for key, _ in part]) if len(parts) == 1 else 4
        sizes += [min(columns, len(part) - start) for start in range(0, len(part), columns)]
    return sizes


def _columns(keys: Sequence[tuple[str, str, str]]) -> int:
    """The number of columns: the datasets if every metric has the same ones, else three or four."""
    datasets = Counter((group, metric) for group, metric, _ in keys)
    sizes = set(datasets.values())
    if len(sizes) == 1 and sizes <= {2, 3, 4}:
        return sizes.pop()
    return 3 if sizes == {9} or len({(metric, panel) for _, metric, panel in keys}) == 6 else 4
