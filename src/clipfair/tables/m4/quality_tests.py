"""The tests of CLIP the Bias, sections 4.3 (recognising attributes) and 4.4 (model quality), and ours.

The paper tests all pairs of runs together, so that the models of one seed count as independent. In our tests
the unit is a seed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.metrics.statistics import compare_conditions
from clipfair.plan.analysis_plan import read_analysis_plan
from clipfair.tables.common.findings import Check, Claim, describe_power, judge_checks
from clipfair.tables.common.markdown import (
    estimate_with_interval,
    markdown_table,
    number,
    p_value_text,
)
from clipfair.tables.m4.metric_names import metric_name
from clipfair.tables.m4.selection import BASELINE, final_of_conditions

COLUMNS = ["section", "quantity", "condition", "against", "mean_difference", "median_difference"]
COLUMNS += ["statistic", "p_value", "differing", "pairs", "paper", "agrees"]

# Pairs are matched on these at the last checkpoint, so the examples seen are equal, too.
MATCHED = ["panel", "metric", "group", "model", "seed"]

# Nats, where chance is 0.69: the analysis plan has no claim on recognition.
RECOGNITION_MARGIN = 0.05


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
    condition, against (the baseline), mean_difference and median_difference (condition minus against); the
    paper's test: statistic, p_value (Wilcoxon's signed-rank test over runs, two-sided), differing (pairs that
    differ), pairs, paper (its statement), agrees (yes, no, or ``not comparable: <reason>``), where a
    significant difference in the other direction does not agree; ours: the columns of
    :func:`~clipfair.tables.common.findings.judge_checks`, with the mean difference of a seed as its value, in
    percentage points or nats.

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
    pairs = [_pairs(records, claim, settings) for claim in claims]
    papers = [_papers_tests(*part, settings) for part in zip(pairs, claims, strict=True)]
    checks = [check for part in zip(pairs, claims, strict=True) for check in _checks(*part)]
    table = pd.concat([pd.concat(papers, ignore_index=True), judge_checks(checks)], axis=1)
    return table, None, _page(table, claims)


def _pairs(records: pd.DataFrame, claim: Mapping, settings: Mapping) -> pd.DataFrame:
    """The matched values of a claim, one column per condition."""
    chosen = final_of_conditions(records, {**settings, **claim}, claim["metrics"])
    names = chosen["condition"].unique()
    return chosen.pivot(index=MATCHED, columns="condition", values="value")[names]


def _papers_tests(paired: pd.DataFrame, claim: Mapping, settings: Mapping) -> pd.DataFrame:
    """The paper's test of every condition against the baseline."""
    tests = compare_conditions(paired)
    tests = tests[tests["against"] == BASELINE]
    differences = [paired[row.condition] - paired[row.against] for row in tests.itertuples()]
    return tests.rename(columns={"n": "differing"}).assign(
        section=str(claim["section"]),
        quantity=claim["quantity"],
        mean_difference=[difference.mean() for difference in differences],
        paper=_paper(claim),
        agrees=[_agrees(test, claim, settings) for test in tests.itertuples()],
    )[COLUMNS]


def _checks(paired: pd.DataFrame, claim: Mapping) -> list[Check]:
    """Our test of every condition against the baseline."""
    metric = claim["metrics"][0]
    expected = claim.get("direction", "equivalent")
    judged = Claim(claim["section"], claim["quantity"], metric, expected, _margin(metric))
    return [
        Check(judged, metric_name(metric).scale * (paired[name] - paired[BASELINE]).groupby("seed").mean())
        for name in paired
        if name != BASELINE
    ]


def _margin(metric: str) -> float:
    if metric == "gender_log_loss":
        return RECOGNITION_MARGIN
    return read_analysis_plan().margin("retrieval" if "recall" in metric else "classification")


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
    names = [[row.section, row.quantity, row.condition, row.against] for row in table.itertuples()]
    papers = [
        [
            number(row.mean_difference, decimals=4, sign="+"),
            *(p_value_text(row.p_value), f"{row.differing} of {row.pairs}", row.paper, row.agrees),
        ]
        for row in table.itertuples()
    ]
    ours = [
        [
            *(estimate_with_interval(row.mean, row.low, row.high), str(row.n)),
            f"{row.expected}, margin {row.margin:g}",
            *(p_value_text(row.p_difference), p_value_text(row.p_equivalence), f"**{row.verdict}**"),
        ]
        for row in table.itertuples()
    ]
    named = ["section", "quantity", "condition", "against"]
    paper_head = ["mean difference", "p (signed rank)", "pairs that differ", "the paper", "agrees"]
    our_head = ["mean difference [95%]", "seeds", "expected", "p (difference)", "p (equivalence)", "verdict"]
    metrics = {
        claim["quantity"]: ", ".join(metric_name(metric).text for metric in claim["metrics"])
        for claim in claims
    }
    return "\n".join(
        [
            "# Tests of sections 4.3 and 4.4 of CLIP the Bias",
            "",
            "Conditions against the baseline at the last checkpoint, pairs matched on dataset, metric, "
            "group, model and seed.",
            "",
            "## The paper's test",
            "",
            "Wilcoxon's signed-rank test over all pairs. Its units are pairs of runs: models and metrics of "
            "one seed, which depend on each other, count as independent. A mean difference is of shares in "
            "[0, 1], of a log-loss in nats.",
            "",
            *markdown_table([*named, *paper_head], map(list.__add__, names, papers)),
            "",
            "## Ours",
            "",
            "The unit is a seed: its differences are averaged first. Tests and verdicts are those of "
            "docs/analysis-plan.md, with Holm's correction over the table. Mean differences are in "
            f"percentage points, of a log-loss in nats. {describe_power(table)}",
            "",
            *markdown_table([*named, *our_head], map(list.__add__, names, ours)),
            "",
            *(f"- **{quantity}**: {text}." for quantity, text in metrics.items()),
            "",
        ]
    )
