"""Bias after two stages of training (CLIP the Bias, Figures 3, 5, 14, 16)."""

from collections.abc import Mapping

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.metrics.statistics import summarise_runs
from clipfair.tables.common.markdown import markdown_table, percent
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.pages import last_checkpoint, model_rows, page_title
from clipfair.tables.m4.selection import BASELINE, final, select_values

KEY = ["panel", "metric", "order", "stage_1", "model", "model_label"]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Compare the last checkpoints of two-stage runs with those of one stage.

    Parameters
    ----------
    records, published
        As in :mod:`clipfair.tables.m4.data_size`.
    settings
        ``metric``; ``shown`` (evaluation id -> label of its panel); ``intervention``, the condition that
        alternates with the baseline.

    Returns
    -------
    The table, None, the page. One row per panel, order (``<intervention> first`` or ``baseline first``),
    stage_1 (the first stage's share of the examples, in [0, 1]) and model: mean, std (ddof 1), n over seeds.
    Runs of one stage are the ends of both curves: baseline alone is stage_1 = 0 of one, 1 of the other.

    Raises
    ------
    UserError
        If a run is missing, no evaluation has the metric, or no schedule of the grids has the intervention.
    """
    intervention = settings["intervention"]
    places = _places(settings, intervention)
    chosen = final(select_values(records, settings, [settings["metric"]]))
    # A model without schedules would be a curve without points between its ends.
    staged = chosen.loc[chosen["balance"].isin(settings["schedules"]), "model"]
    chosen = chosen[chosen["model"].isin(staged)]
    parts = [
        chosen[chosen["balance"] == balance].assign(order=order, stage_1=share)
        for order, share, balance in places
    ]
    table = summarise_runs(pd.concat(parts, ignore_index=True), KEY)
    orders = {order: at for at, order in enumerate(dict.fromkeys(order for order, _, _ in places))}
    panels = {panel: at for at, panel in enumerate(chosen["panel"].unique())}
    ranks = {"panel": panels, "order": orders}
    table = table.sort_values(
        ["panel", "order", "stage_1"],
        key=lambda column: column.map(ranks[column.name]) if column.name in ranks else column,
        kind="stable",
        ignore_index=True,
    )
    return table, None, _page(table, settings)


def _places(settings: Mapping, intervention: str) -> list[tuple[str, float, str]]:
    """The order, the share of stage 1 and the balance of every run that is shown."""
    pairs = {"intervention first": (intervention, BASELINE), "baseline first": (BASELINE, intervention)}
    places = []
    for name, (first, second) in pairs.items():
        order = name.replace("intervention", intervention)
        staged = [
            (order, stages[0][1], balance)
            for balance, stages in settings["schedules"].items()
            if [stage for stage, _ in stages] == [first, second]
        ]
        if staged:
            places += [(order, 0.0, second), *staged, (order, 1.0, first)]
    if not places:
        raise UserError(
            f"table {settings['table']}: no schedule of its grids has stages {BASELINE} and {intervention}; "
            "name one in `training` in config.yaml"
        )
    return places


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    name = metric_name(settings["metric"])
    shares = sorted(table["stage_1"].unique())
    lines = [
        page_title(settings, f"{name.axis} after two stages of training"),
        "",
        f"{last_checkpoint(settings)}, by the share of the examples that were seen in the first stage.",
    ]
    for (panel, order), frame in table.groupby(["panel", "order"], sort=False):
        rows = model_rows(frame, "stage_1", shares, scale=name.scale)
        head = ["model", *(f"{percent(share, decimals=0)}%" for share in shares)]
        lines += ["", f"## {panel}: {order}", "", *markdown_table(head, rows)]
    return "\n".join([*lines, ""])
