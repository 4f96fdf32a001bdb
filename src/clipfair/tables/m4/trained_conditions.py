"""Tables 1, 2 and 3 of CLIP the Bias: quality and bias by training condition, with published values."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.metrics.statistics import summarise_runs
from clipfair.tables.common.compare import compare
from clipfair.tables.common.markdown import markdown_table, mean_and_std, number
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.pages import last_checkpoint
from clipfair.tables.m4.selection import final, select_values

KEY = ["panel", "metric", "model", "model_label", "condition"]
NO_NUMBER = ["difference", "combined_std", "deviations"]


def build(
    records: pd.DataFrame, published: pd.DataFrame, settings: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """One row per condition, one column per dataset and metric, at the last checkpoint.

    Parameters
    ----------
    records
        The result of :func:`clipfair.tables.common.records.read_records`.
    published
        The result of :func:`clipfair.tables.common.compare.read_published`.
    settings
        ``published_datasets`` (evaluation id -> dataset of the published table, null if it has none);
        ``published_metrics`` (our metric -> the published name); ``published_rows`` (condition -> row).

    Returns
    -------
    The table (dataset, metric, model, condition, mean, std, n; percent, ddof 1 over seeds), its comparison
    with the published values, and the page. If nothing is comparable, differences are NaN.

    Raises
    ------
    UserError
        If a run is missing, or the grids have several models.
    """
    names = settings["published_datasets"]
    labels = {name: settings["evaluations"].get(name, {}).get("dataset", name) for name in names}
    shown = {**settings, "shown": labels}
    chosen = final(select_values(records, shown, list(settings["published_metrics"])))
    chosen = chosen[chosen["balance"].isin(settings["published_rows"])]
    _check_one_model(chosen, settings)
    cells = summarise_runs(chosen, ["evaluation", *KEY])
    cells[["mean", "std"]] *= 100
    ours = cells.assign(
        published_dataset=cells["evaluation"].map(names),
        published_row=cells["condition"].map(settings["published_rows"]),
        ours=cells["metric"],
        metric=cells["metric"].map(settings["published_metrics"]),
    )
    compared = compare(ours, published, incomparable=settings["incomparable"])
    if settings["incomparable"]:
        compared[NO_NUMBER] = np.nan
    compared = compared.drop(columns="metric").rename(columns={"panel": "dataset", "ours": "metric"})
    table = cells.rename(columns={"panel": "dataset"})
    return table, compared, _page(compared, settings)


def _check_one_model(chosen: pd.DataFrame, settings: Mapping) -> None:
    models = chosen["model"].unique()
    if len(models) != 1:
        raise UserError(
            f"table {settings['table']}: {len(models)} models ({', '.join(models)}), but the published table "
            "is of one; give it grids of one model"
        )


def _page(compared: pd.DataFrame, settings: Mapping) -> str:
    columns = list(compared[["evaluation", "dataset", "metric"]].drop_duplicates().itertuples(index=False))
    cells = {(r.condition, r.evaluation, r.metric): r for r in compared.itertuples()}
    rows = []
    for condition in compared["condition"].unique():
        ours = [cells.get((condition, evaluation, metric)) for evaluation, _, metric in columns]
        rows.append([condition, *("-" if r is None else mean_and_std(r.mean, r.std) for r in ours)])
        if not settings["incomparable"]:
            rows.append(["*published*", *("-" if r is None else _published(r) for r in ours)])
    about_published = (
        f"The published values are in the .compare.csv; not comparable: {settings['incomparable']}."
        if settings["incomparable"]
        else "Below each row the published one."
    )
    head = ["trained on", *(f"{dataset}: {metric_name(metric).axis}" for _, dataset, metric in columns)]
    return "\n".join(
        [
            f"# {_title(settings)} of CLIP the Bias: {compared['model_label'].iloc[0]}",
            "",
            f"{last_checkpoint(settings)}. {about_published}",
            "",
            *markdown_table(head, rows),
            "",
        ]
    )


def _title(settings: Mapping) -> str:
    return settings["published"].replace("table", "Table ")


def _published(record) -> str:
    if pd.isna(record.published_mean):
        return "-"
    difference = number(record.difference, decimals=1, sign="+")
    return f"{mean_and_std(record.published_mean, record.published_std)} ({record.verdict}, {difference})"
