"""Bias and quality of published models as they are, with intervals over the evaluated examples."""

from collections.abc import Mapping

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.tables.common.markdown import markdown_table, number
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.pages import page_title
from clipfair.tables.m4.selection import OVERALL, select_values

KEY = ["panel", "metric", "group", "model", "model_label"]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Compare models that are not trained here.

    Parameters
    ----------
    records, published
        As in :mod:`clipfair.tables.m4.data_size`.
    settings
        ``shown``, ``metrics`` and ``groups`` as in :mod:`clipfair.tables.m4.quality`; ``encoders`` (model ->
        its name in print).

    Returns
    -------
    The table, None, the page. One row per panel, metric, group (``all``) and model: value, low and high (the
    95% bootstrap interval over the examples, as in metrics.json) and n (examples).

    Raises
    ------
    UserError
        If a run is missing, no evaluation has one of the metrics, or a model has several values.
    """
    chosen = select_values(records, settings, settings["metrics"])
    chosen = chosen.assign(model_label=chosen["model"].map(settings["encoders"]))
    _check_one_value(chosen, settings)
    table = chosen[[*KEY, "value", "low", "high", "n"]].reset_index(drop=True)
    return table, None, _page(table, settings)


def _check_one_value(chosen: pd.DataFrame, settings: Mapping) -> None:
    twice = chosen[chosen.duplicated(KEY)]
    if len(twice):
        raise UserError(
            f"table {settings['table']}: model {twice['model'].iloc[0]} has several values of "
            f"{twice['metric'].iloc[0]}; give its grid one seed and one condition"
        )


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    lines = [
        page_title(settings, "published models"),
        "",
        "Values with 95% bootstrap intervals over the evaluated examples. The models are as published: "
        "nothing is trained, so the intervals do not contain the variation between trainings.",
    ]
    for (metric, group), frame in table.groupby(["metric", "group"], sort=False):
        name = metric_name(metric)
        panels = list(frame["panel"].unique())
        cells = {(row.model_label, row.panel): _cell(row, name.scale) for row in frame.itertuples()}
        rows = [
            [label, *(cells.get((label, panel), "-") for panel in panels)]
            for label in frame["model_label"].unique()
        ]
        title = name.axis if group == OVERALL else f"{name.axis}, {group}"
        lines += ["", f"## {title}", "", *markdown_table(["model", *panels], rows)]
    return "\n".join([*lines, ""])


def _cell(row: tuple, scale: float) -> str:
    decimals = 1 if scale > 1 else 3
    value, low, high = (number(scale * end, decimals=decimals) for end in (row.value, row.low, row.high))
    return value if pd.isna(row.low) else f"{value} [{low}, {high}]"
