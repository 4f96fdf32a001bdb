"""How good the models of each condition are (CLIP the Bias, Figures 6, 12, 17 to 20)."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.common.markdown import markdown_table, mean_and_std
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.selection import OVERALL, final, over_seeds, values

KEY = ["panel", "metric", "group", "model", "model_label", "condition"]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Compare the last checkpoints of all conditions.

    Parameters
    ----------
    records, published
        As of :mod:`clipfair.tables.m4.data_size`.
    settings
        ``shown`` (evaluation id -> label of its panel); ``metrics``, a panel each where an evaluation has it;
        ``groups``, a panel each, or none for all examples together; ``conditions`` if not all of the grids.

    Returns
    -------
    The table, none, the page. One line a panel, metric, group (``all``), model and condition: mean, std
    (ddof 1) and n over seeds; values as in metrics.json.

    Raises
    ------
    UserError
        If a run is missing, or no evaluation has one of the metrics.
    """
    table = compare_conditions(records, settings)
    return table, None, _page(table, settings)


def compare_conditions(records: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """The table alone."""
    return over_seeds(chosen_values(records, settings), KEY)


def chosen_values(records: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """The values of each run that the table is made from."""
    chosen = final(values(records, settings, settings["metrics"]))
    return chosen[~chosen["balance"].isin(settings["schedules"])]


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    names = list(table["condition"].unique())
    lines = [
        f"# {settings['table'].partition('/')[2]}: models by what they were trained on",
        "",
        f"Last checkpoint; mean ± standard deviation over {len(settings['seeds'])} seeds.",
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
