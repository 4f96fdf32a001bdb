"""Bias by model, representation size, examples seen and condition (CLIP the Bias, Figures 2, 4, 13, 15)."""

from collections.abc import Mapping

import pandas as pd

from clipfair.metrics.statistics import compare_conditions, summarise_runs
from clipfair.tables.common.markdown import markdown_table, p_value_text
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.pages import last_checkpoint, model_rows, page_title
from clipfair.tables.m4.selection import OVERALL, final, select_values

KEY = ["panel", "metric", "model", "model_label", "condition", "examples"]
# Pairs are matched on everything but the condition.
MATCHED = ["panel", "model", "examples", "seed"]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """One metric at every checkpoint of every run, and tests between conditions.

    Parameters
    ----------
    records
        The result of :func:`clipfair.tables.common.records.read_records`.
    published
        None: the paper prints no numbers.
    settings
        ``metric``; ``shown`` (evaluation id -> label of its panel); ``conditions`` if not all of the grids.

    Returns
    -------
    The table, None, the page. Rows with part ``values``: panel, metric, model, model_label, condition,
    examples (seen), mean, std (ddof 1) and n over seeds. Rows with part ``tests``: panel (``all``: pairs of
    all panels), condition, against, median_difference, statistic, p_value (Wilcoxon's signed-rank test, two
    sided, exact up to 200 pairs), n (pairs that differ) and pairs (matched on panel, model, examples, seed).

    Raises
    ------
    UserError
        If a run is missing, or no evaluation has the metric.
    """
    chosen = select_values(records, settings, [settings["metric"]])
    chosen = chosen[~chosen["balance"].isin(settings["schedules"])]
    curves = summarise_runs(chosen, KEY)
    tests = _tests(chosen)
    table = pd.concat([curves.assign(part="values"), tests.assign(part="tests")], ignore_index=True)
    return table[["part", *table.columns.drop("part")]], None, _page(chosen, tests, settings)


def _tests(chosen: pd.DataFrame) -> pd.DataFrame:
    panels = dict(tuple(chosen.groupby("panel", sort=False)))
    if len(panels) > 1:
        panels[OVERALL] = chosen
    # A pivot would sort the conditions.
    names = chosen["condition"].unique()
    return pd.concat(
        [
            compare_conditions(frame.pivot(index=MATCHED, columns="condition", values="value")[names]).assign(
                panel=panel
            )
            for panel, frame in panels.items()
        ],
        ignore_index=True,
    )


def _page(chosen: pd.DataFrame, tests: pd.DataFrame, settings: Mapping) -> str:
    name = metric_name(settings["metric"])
    last = summarise_runs(final(chosen), KEY)
    names = list(last["condition"].unique())
    lines = [
        page_title(settings, name.axis),
        "",
        f"{last_checkpoint(settings)}. Every checkpoint is in the csv. Closer to zero is better.",
    ]
    for panel, frame in last.groupby("panel", sort=False):
        rows = model_rows(frame, "condition", names, scale=name.scale)
        lines += ["", f"## {panel}", "", *markdown_table(["model", *names], rows)]
    return "\n".join([*lines, *_tests_on_page(tests, names), ""])


def _tests_on_page(tests: pd.DataFrame, names: list[str]) -> list[str]:
    lines = [
        "",
        "## Wilcoxon's signed-rank test",
        "",
        "p-values of the hypothesis that column and row have the same effect; pairs are matched on model, "
        "examples seen and seed. Checkpoints of one run are not independent, so the p-values describe the "
        "sweep, as in the paper; the findings are tested on last checkpoints alone.",
    ]
    for panel, frame in tests.groupby("panel", sort=False):
        p = {(r.against, r.condition): p_value_text(r.p_value) for r in frame.itertuples()}
        rows = [[row, *(p.get((row, column), "") for column in names)] for row in names]
        lines += ["", *markdown_table([f"{panel} ({frame['pairs'].max()} pairs)", *names], rows)]
    return lines
