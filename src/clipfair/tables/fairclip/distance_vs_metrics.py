"""Distances and metrics over the epochs, and their rank correlation.

FairCLIP assumes that a smaller distance goes with better metrics; its reproduction questions this.
"""

from collections.abc import Mapping
from itertools import product

import pandas as pd

from clipfair.core.paths import RUN_LEVELS
from clipfair.metrics.statistics import mean_interval, summarise_runs
from clipfair.tables.common.markdown import estimate_with_interval, markdown_table
from clipfair.tables.fairclip.epochs import correlation_over_epochs, make_series, read_epochs
from clipfair.tables.fairclip.measures import MEASURES
from clipfair.tables.fairclip.pages import baseline_lines
from clipfair.tables.fairclip.summary import ROW, attrs_of, describe_rows, in_order

INTRO = (
    "Spearman's rank correlation, over the epochs of one run (the model before training left out), of the "
    "distance (mean over the groups of the attribute) with each metric; then the mean over runs with its "
    "95% t interval. A run with fewer than five epochs has none. If a smaller distance made a fairer model, "
    "distance would be positively correlated "
    "with DPD and DEOdds. Training alone can improve both, so compare with the correlations of the baseline."
)
METRICS = ("auc", "dpd", "deodds")


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, None, str]:
    """Curves over the epochs and their correlations; the papers print no numbers.

    Settings: ``rows``, ``encoders`` (:mod:`~.selection`); ``epochs``, the key of every run -> its epochs.csv
    (epoch, split, metric, label, group, value); ``split`` of the curves (default test); ``distances``
    (default distance_wasserstein, distance_scale_free).

    Returns
    -------
    Rows of two kinds. ``curve``: row, attribute, ``measure``, ``epoch``, ``mean`` and ``std`` over seeds,
    ``n``. ``correlation``: row, attribute, ``distance``, ``measure``, ``mean`` over runs, ``low``,
    ``high``, ``n`` (runs in which it is defined); none where no run has five epochs. Then None, and the page.

    Raises
    ------
    UserError
        If a run of the table's rows has no epochs.
    """
    epochs = read_epochs(settings)
    distances = settings.get("distances", ["distance_wasserstein", "distance_scale_free"])
    series = make_series(epochs, [*METRICS, *distances])
    curves, correlations = _curves(series), _correlations(series, distances)
    order = {
        "model": list(settings.get("encoders", {})),
        "method": list(settings["rows"]),
        "attr": attrs_of(settings),
        "attribute": [],
    }
    parts = []
    for kind, part in (("curve", curves), ("correlation", correlations)):
        named = part.assign(**describe_rows(part, settings))
        parts.append(in_order(named, order).assign(kind=kind))
    table = pd.concat(parts, ignore_index=True)
    head = ["kind", *ROW, "attribute", "distance", "measure", "epoch", "mean", "std", "low", "high", "n"]
    return table[head], None, _page(table[table["kind"] == "correlation"], settings)


def _curves(series: pd.DataFrame) -> pd.DataFrame:
    keys = [*RUN_LEVELS[:-1], "attribute", "measure", "epoch"]
    means = summarise_runs(series, keys)
    scale = means["measure"].map(lambda name: MEASURES[name].scale)
    return means.assign(mean=means["mean"] * scale, std=means["std"] * scale)


def _correlations(series: pd.DataFrame, distances: list[str]) -> pd.DataFrame:
    keys = [*RUN_LEVELS[:-1], "attribute"]
    rows = []
    for values, part in series.groupby(keys, sort=False):
        runs = part.pivot(index=["seed", "epoch"], columns="measure", values="value")
        for distance, measure in product(distances, METRICS):
            of_runs = [
                correlation_over_epochs(run, distance, measure) for _, run in runs.groupby(level="seed")
            ]
            mean, low, high, n, _ = mean_interval(of_runs)
            if not n:
                continue
            interval = {"mean": mean, "low": max(low, -1.0), "high": min(high, 1.0), "n": n}
            rows.append(
                {**dict(zip(keys, values, strict=True)), "distance": distance, "measure": measure, **interval}
            )
    return pd.DataFrame(rows, columns=[*keys, "distance", "measure", "mean", "low", "high", "n"])


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    lines = ["# Distance against metrics over the epochs", "", INTRO, *baseline_lines(settings)]
    if settings["incomparable"]:
        lines += ["", f"**Not comparable with published values: {settings['incomparable']}.**"]
    if table.empty:
        lines += ["", "No run has five epochs: the table has curves only."]
    pairs = list(dict.fromkeys(zip(table["distance"], table["measure"], strict=True)))
    head = ["method", "attribute", *(f"{MEASURES[d].text}, {MEASURES[m].text}" for d, m in pairs), "runs"]
    for encoder, part in table.groupby("encoder", sort=False):
        body = []
        for (row, attribute), cells in part.groupby(["row", "attribute"], sort=False):
            estimates = [
                estimate_with_interval(cell.mean, cell.low, cell.high) for cell in cells.itertuples()
            ]
            body.append([row, attribute, *estimates, str(cells["n"].max())])
        lines += ["", f"## {encoder}", "", *markdown_table(head, body)]
    return "\n".join(lines) + "\n"
