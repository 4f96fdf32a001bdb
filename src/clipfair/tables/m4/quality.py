"""Quality of the models of each condition (CLIP the Bias, Figures 6, 12, 17 to 20)."""

from collections.abc import Mapping

import pandas as pd

from clipfair.metrics.statistics import summarise_runs
from clipfair.tables.common.markdown import markdown_table, mean_and_std
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.pages import last_checkpoint, page_title
from clipfair.tables.m4.selection import OVERALL, final_of_conditions

KEY = ["panel", "metric", "group", "model", "model_label", "condition"]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Compare the last checkpoints of all conditions.

    Parameters
    ----------
    records, published
        As in :mod:`clipfair.tables.m4.data_size`.
    settings
        ``shown`` (evaluation id -> label of its panel); ``metrics``, one panel each where an evaluation
        has it; ``groups``, one panel each, or none for all examples together; ``conditions`` if not all of
        the grids.

    Returns
    -------
    The table, None, the page. One row per panel, metric, group (``all``), model and condition: mean, std
    (ddof 1) and n over seeds; values as in metrics.json.

    Raises
    ------
    UserError
        If a run is missing, or no evaluation has one of the metrics.
    """
    table = quality_by_condition(records, settings)
    return table, None, _page(table, settings)


def quality_by_condition(records: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """The table without its page."""
    return summarise_runs(final_of_conditions(records, settings, settings["metrics"]), KEY)


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    names = list(table["condition"].unique())
    lines = [
        page_title(settings, "models by training condition"),
        "",
        f"{last_checkpoint(settings)}.",
    ]
    for (metric, group), frame in table.groupby(["metric", "group"], sort=False):
        name = metric_name(metric)
        decimals = 1 if name.unit == "%" else 3
        cells = {
            (r.panel, r.model_label, r.condition): mean_and_std(
                r.mean, r.std, scale=name.scale, decimals=decimals
            )
            for r in frame.itertuples()
        }
        rows = [
            [panel, label, *(cells.get((panel, label, condition), "-") for condition in names)]
            for panel, label in frame[["panel", "model_label"]].drop_duplicates().itertuples(index=False)
        ]
        title = name.axis if group == OVERALL else f"{name.axis}, {group}"
        lines += ["", f"## {title}", "", *markdown_table(["dataset", "model", *names], rows)]
    return "\n".join([*lines, ""])
