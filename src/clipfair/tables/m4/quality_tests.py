"""The tests of CLIP the Bias, sections 4.3 (recognising attributes) and 4.4 (model quality)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.metrics.statistics import compare_conditions, sign_test
from clipfair.tables.common.markdown import markdown_table, number, p_value_text
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.selection import BASELINE, final_of_conditions

COLUMNS = ["section", "quantity", "condition", "against", "mean_difference", "median_difference"]
COLUMNS += ["statistic", "p_value", "p_sign", "n", "pairs", "paper", "agrees"]

# Pairs are matched on these at the last checkpoint, so the examples seen are equal, too.
MATCHED = ["panel", "metric", "group", "model", "seed"]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Test every condition against the baseline on each group of metrics, as the paper does.

    Parameters
    ----------
    records, published
        As in :mod:`clipfair.tables.m4.data_size`.
    settings
        ``claims``: a list of {section, quantity, shown, metrics, groups (optional)} and either
        ``smallest_p``, the paper says that the p-value is above it, or ``largest_p`` and ``direction``, it
        says that the p-value is below and the metrics are ``higher`` or ``lower`` than at the baseline.

    Returns
    -------
    The table, None, the page. One row per claim and condition but the baseline: section, quantity,
    condition, against (the baseline), mean_difference and median_difference (condition minus against),
    statistic, p_value (Wilcoxon's signed-rank test, two-sided), p_sign (the sign test), n (pairs that
    differ), pairs, paper (its statement), agrees (yes, no, or ``not comparable: <reason>``). A significant
    difference in the other direction does not agree.

    Raises
    ------
    UserError
        If a run is missing, or no evaluation has one of the metrics.
    """
    # A claim whose data are left out of the study cannot be tested.
    claims = [claim for claim in settings["claims"] if set(claim["shown"]) & set(settings["evaluations"])]
    if not claims:
        raise UserError(
            f"table {settings['table']}: no evaluation of its claims is in its grids; add them to `training` "
            "in config.yaml"
        )
    table = pd.concat([_tests(records, claim, settings) for claim in claims], ignore_index=True)
    return table, None, _page(table, claims)


def _tests(records: pd.DataFrame, claim: Mapping, settings: Mapping) -> pd.DataFrame:
    chosen = final_of_conditions(records, {**settings, **claim}, claim["metrics"])
    names = chosen["condition"].unique()
    paired = chosen.pivot(index=MATCHED, columns="condition", values="value")[names]
    tests = compare_conditions(paired)
    tests = tests[tests["against"] == BASELINE]
    differences = [paired[row.condition] - paired[row.against] for row in tests.itertuples()]
    return tests.assign(
        section=str(claim["section"]),
        quantity=claim["quantity"],
        mean_difference=[difference.mean() for difference in differences],
        p_sign=[sign_test(difference).p_value for difference in differences],
        paper=_paper(claim),
        agrees=[_agrees(test, claim, settings) for test in tests.itertuples()],
    )[COLUMNS]


def _paper(claim: Mapping) -> str:
    if "smallest_p" in claim:
        return f"p > {claim['smallest_p']:g}"
    return f"{claim['direction']}, p < {claim['largest_p']:g}"


def _agrees(test: Any, claim: Mapping, settings: Mapping) -> str:
    if settings["incomparable"]:
        return f"not comparable: {settings['incomparable']}"
    if "smallest_p" in claim:
        return "yes" if test.p_value > claim["smallest_p"] else "no"
    # Without an effect, half of the sum of all ranks is expected.
    direction = "higher" if test.statistic > test.n * (test.n + 1) / 4 else "lower"
    agrees = test.p_value < claim["largest_p"] and direction == claim["direction"]
    return "yes" if agrees else "no"


def _page(table: pd.DataFrame, claims: Sequence[Mapping]) -> str:
    head = ["section", "quantity", "condition", "against", "mean difference", "p (signed rank)", "p (sign)"]
    rows = [
        [
            *(r.section, r.quantity, r.condition, r.against),
            number(r.mean_difference, decimals=4, sign="+"),
            *(p_value_text(r.p_value), p_value_text(r.p_sign), f"{r.n} of {r.pairs}", r.paper, r.agrees),
        ]
        for r in table.itertuples()
    ]
    metrics = {
        claim["quantity"]: ", ".join(metric_name(metric).text for metric in claim["metrics"])
        for claim in claims
    }
    return "\n".join(
        [
            "# Tests of sections 4.3 and 4.4 of CLIP the Bias",
            "",
            "Conditions against the baseline at the last checkpoint, pairs matched on dataset, metric, "
            "group, model and seed. A mean difference is of shares in [0, 1], of a log-loss in nats.",
            "",
            *markdown_table([*head, "pairs that differ", "the paper", "agrees"], rows),
            "",
            *(f"- **{quantity}**: {text}." for quantity, text in metrics.items()),
            "",
        ]
    )
