"""The tests of CLIP the Bias, sections 4.3 (recognising attributes) and 4.4 (model quality)."""

from collections.abc import Mapping, Sequence

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.metrics.statistics import compare_conditions, sign_test
from clipfair.tables.common.markdown import markdown_table, number, p_value_text
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.selection import final_of_conditions

COLUMNS = ["section", "quantity", "condition", "against", "mean_difference", "median_difference"]
COLUMNS += ["statistic", "p_value", "p_sign", "n", "pairs", "paper", "agrees"]

# Pairs are matched on these at the last checkpoint, so the examples seen are equal, too.
MATCHED = ["panel", "metric", "group", "model", "seed"]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Test every two conditions against each other on each group of metrics.

    Parameters
    ----------
    records, published
        As in :mod:`clipfair.tables.m4.data_size`.
    settings
        ``claims``: a list of {section, quantity, shown, metrics, groups (optional), largest_p, smallest_p}:
        the paper says that the p-value is below largest_p, or above smallest_p.

    Returns
    -------
    The table, None, the page. One row per claim and pair of conditions: section, quantity, condition,
    against, mean_difference and median_difference (condition minus against), statistic, p_value (Wilcoxon's
    signed-rank test, two-sided), p_sign (the sign test), n (pairs that differ), pairs, paper (its statement
    about p), agrees (yes, no, or ``not comparable: <reason>``).

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
    order = {name: at for at, name in enumerate(names)}
    # Each pair once: the later condition against the earlier.
    tests = tests[tests["condition"].map(order) > tests["against"].map(order)]
    differences = [paired[row.condition] - paired[row.against] for row in tests.itertuples()]
    paper = _paper(claim)
    return tests.assign(
        section=str(claim["section"]),
        quantity=claim["quantity"],
        mean_difference=[difference.mean() for difference in differences],
        p_sign=[sign_test(difference).p_value for difference in differences],
        paper=paper,
        agrees=[_agrees(p, claim, settings) for p in tests["p_value"]],
    )[COLUMNS]


def _paper(claim: Mapping) -> str:
    return f"p < {claim['largest_p']:g}" if "largest_p" in claim else f"p > {claim['smallest_p']:g}"


def _agrees(p_value: float, claim: Mapping, settings: Mapping) -> str:
    if settings["incomparable"]:
        return f"not comparable: {settings['incomparable']}"
    agrees = p_value < claim["largest_p"] if "largest_p" in claim else p_value > claim["smallest_p"]
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
            "Conditions against each other at the last checkpoint, pairs matched on dataset, metric, group, "
            "model and seed. A mean difference is of shares in [0, 1], of a log-loss in nats.",
            "",
            *markdown_table([*head, "pairs that differ", "the paper", "agrees"], rows),
            "",
            *(f"- **{quantity}**: {text}." for quantity, text in metrics.items()),
            "",
        ]
    )
