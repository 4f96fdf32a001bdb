"""Bias by model, representation size, examples seen and condition (CLIP the Bias, Figures 2, 4, 13, 15)."""

from collections.abc import Mapping

import pandas as pd

from clipfair.metrics.statistics import p_matrix
from clipfair.tables.common.markdown import markdown_table, mean_and_std, p_value_text
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.selection import OVERALL, final, over_seeds, values

KEY = ["panel", "metric", "model", "model_label", "condition", "examples"]
# What pairs are matched on: everything but the condition.
MATCHED = ["panel", "model", "examples", "seed"]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Read one metric off every checkpoint of every run, and test conditions against each other.

    Parameters
    ----------
    records
        Of :func:`clipfair.tables.common.records.read_records`.
    published
        The paper prints no numbers.
    settings
        ``metric``; ``shown`` (evaluation id -> label of its panel); ``conditions`` if not all of the grids.

    Returns
    -------
    The table, none, the page. Lines with part ``values``: panel, metric, model, model_label, condition,
    examples (seen), mean, std (ddof 1) and n over seeds. Lines with part ``tests``: panel (``all``: pairs of
    all panels), condition, against, median_difference, statistic, p_value (Wilcoxon's signed-rank test, two
    sided, exact up to 200 pairs), n (pairs that differ) and pairs (matched on panel, model, examples, seed).

    Raises
    ------
    UserError
        If a run is missing, or no evaluation has the metric.
    """
    chosen = values(records, settings, [settings["metric"]])
    chosen = chosen[~chosen["balance"].isin(settings["schedules"])]
    curves = over_seeds(chosen, KEY)
    tests = _tests(chosen)
    table = pd.concat([curves.assign(part="values"), tests.assign(part="tests")], ignore_index=True)
    return table[["part", *table.columns.drop("part")]], None, _page(chosen, tests, settings)


def _tests(chosen: pd.DataFrame) -> pd.DataFrame:
    panels = dict(tuple(chosen.groupby("panel", sort=False)))
    if len(panels) > 1:
        panels[OVERALL] = chosen
    # Conditions in their order, which a pivot would sort.
    names = chosen["condition"].unique()
    return pd.concat(
        [
            p_matrix(frame.pivot(index=MATCHED, columns="condition", values="value")[names]).assign(
                panel=panel
            )
            for panel, frame in panels.items()
        ],
        ignore_index=True,
    )


def _page(chosen: pd.DataFrame, tests: pd.DataFrame, settings: Mapping) -> str:
    name = metric_name(settings["metric"])
    last = over_seeds(final(chosen), KEY)
    names = list(last["condition"].unique())
    lines = [
        f"# {settings['table'].partition('/')[2]}: {name.axis}",
        "",
        f"Last checkpoint; mean ± standard deviation over {len(settings['seeds'])} seeds. Every checkpoint "
        "is in the csv. Closer to zero is better.",
    ]
    for panel, frame in last.groupby("panel", sort=False):
        cells = {
            (r.model_label, r.condition): mean_and_std(r.mean, r.std, scale=name.scale, decimals=3)
            for r in frame.itertuples()
        }
        rows = [
            [label, *(cells.get((label, condition), "-") for condition in names)]
            for label in frame["model_label"].unique()
        ]
        lines += ["", f"## {panel}", "", *markdown_table(["model", *names], rows)]
    return "\n".join([*lines, *_tests_on_page(tests, names), ""])


def _tests_on_page(tests: pd.DataFrame, names: list[str]) -> list[str]:
    lines = [
        "",
        "## Wilcoxon's signed-rank test",
        "",
        "p-values that the column has the same effect as the row; pairs matched on model, examples seen and "
        "seed. Checkpoints of one run are not independent, so the p-values describe the sweep, as in the "
        "paper; the findings are tested on last checkpoints alone.",
    ]
    for panel, frame in tests.groupby("panel", sort=False):
        p = {(r.against, r.condition): p_value_text(r.p_value) for r in frame.itertuples()}
        rows = [[row, *(p.get((row, column), "") for column in names)] for row in names]
        lines += ["", *markdown_table([f"{panel} ({frame['pairs'].max()} pairs)", *names], rows)]
    return lines
