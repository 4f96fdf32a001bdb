"""Ablation of the released code: each of its discrepancies from the paper switched on its own."""

from collections.abc import Mapping

import pandas as pd

from clipfair.metrics.statistics import holm, mean_interval, sign_flip_test
from clipfair.tables.common.markdown import estimate_with_interval, markdown_table
from clipfair.tables.common.metric_name import PERCENT
from clipfair.tables.fairclip.measures import FAIRNESS, MEASURES, show
from clipfair.tables.fairclip.paired import log10, per_seed, shared_attrs
from clipfair.tables.fairclip.selection import check_single, final_values
from clipfair.tables.fairclip.summary import encoder_name

INTRO = (
    "Each row differs from {base} in one setting. Each cell is the mean difference to it, paired by seed, "
    "with its 95% t interval; a run's value is the mean over the attributes that it is trained for. "
    "Distances are compared by the decimal logarithm of their ratio (-1: a tenth). Bold: the difference "
    "is not zero at 5% by the exact sign-flip test over seeds, after Holm's correction over all cells of the "
    "table; three seeds give no p-value below 0.25."
)
SHARES = (*FAIRNESS, "accuracy", "selection_rate")
# Compared by their decimal logarithms.
DISTANCES = ("distance_square_wasserstein", "distance_wasserstein", "distance_scale_free")
COLUMNS = {measure: MEASURES[measure].text for measure in (*SHARES, *DISTANCES)}
LEVEL = 0.05


def build(
    records: pd.DataFrame, published: pd.DataFrame | None, settings: Mapping
) -> tuple[pd.DataFrame, None, str]:
    """The paired difference of every switch and measure. The papers print no such table.

    Settings: ``rows`` (method -> name of the changed setting), ``base`` (the method that the others differ
    from), ``encoders``, ``evaluation`` (:mod:`~.selection`).

    Returns
    -------
    One row per model, switch and measure: ``base_mean``, ``mean``, ``difference`` with ``low`` and
    ``high`` (in points of percent, or decimal logarithms), ``n`` (seeds), ``p`` and ``p_holm``; None; the
    page.
    """
    values = final_values(records, settings, "group_fairness")
    check_single(values, settings)
    rows = [
        {"encoder": encoder_name(model, settings), "method": method, "row": settings["rows"][method]["name"]}
        | {"measure": measure, "metric": COLUMNS[measure], **_compare(of_model, method, measure, settings)}
        for model, of_model in values.groupby("model", sort=False)
        for method in settings["rows"]
        if method != settings["base"] and method in set(of_model["method"])
        for measure in COLUMNS
    ]
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"])
    return table, None, _page(table, settings)


def _compare(values: pd.DataFrame, method: str, measure: str, settings: Mapping) -> dict:
    shared = shared_attrs(values, method, settings["base"])
    base = per_seed(values, settings["base"], measure, attr=shared)
    switched = per_seed(values, method, measure, attr=shared)
    is_log = measure in DISTANCES
    pairs = log10(switched) - log10(base) if is_log else 100 * (switched - base)
    difference = mean_interval(pairs)
    scale, unit = (1, "log10") if is_log else (100, PERCENT)
    means = {"unit": unit, "base_mean": scale * base.mean(), "mean": scale * switched.mean()}
    estimate = {"difference": difference.mean, "low": difference.low, "high": difference.high}
    return {**means, **estimate, "n": difference.n, "p": sign_flip_test(pairs).p_value}


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    base = settings["rows"][settings["base"]]["name"]
    lines = ["# Effect of each setting of the released code", "", INTRO.format(base=f"“{base}”")]
    head = ["switched", *COLUMNS.values()]
    for encoder, part in table.groupby("encoder", sort=False):
        first = part.drop_duplicates("measure")
        start = [base, *(show(cell.base_mean, cell.unit) for cell in first.itertuples())]
        body = [
            [str(row), *(_cell(cell) for cell in of_row.itertuples())]
            for row, of_row in part.groupby("row", sort=False)
        ]
        lines += ["", f"## {encoder}", "", *markdown_table(head, [start, *body])]
    least, most = table["n"].min(), table["n"].max()
    lines += ["", f"n = {most if least == most else f'{least} to {most}'} pairs of seeds."]
    return "\n".join(lines) + "\n"


def _cell(cell) -> str:
    text = estimate_with_interval(cell.difference, cell.low, cell.high)
    return f"**{text}**" if cell.p_holm < LEVEL else text
