"""Tests of the pipeline on synthetic data: the planted biases must be found."""

from collections.abc import Mapping

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.plan.analysis_plan import read_analysis_plan
from clipfair.tables.common.findings import Check, Claim, describe_power, judge_checks
from clipfair.tables.common.markdown import markdown_table, number, p_value_text
from clipfair.tables.common.records import check_complete
from clipfair.tables.m4.selection import BASELINE, RUN, final, of_grids

BALANCED, PROXIES, CONTROL = "balanced", "proxies", "unbiased world"
CONDITIONS = [BASELINE, BALANCED, PROXIES, CONTROL]

REPRESENTATION, ASSOCIATION = "representation", "association"
STATISTICS = {
    REPRESENTATION: "mean p(man) - p(woman)",
    ASSOCIATION: "association along the planted stereotype",
}
ANSWERS = [(BASELINE, None), (BASELINE, BALANCED), (BASELINE, PROXIES), (BASELINE, CONTROL)]
# Statistic -> the metric of the analysis plan whose margin it has.
PLANNED = {REPRESENTATION: "parity", ASSOCIATION: "association"}


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Test the planted direction of both biases, with seeds as units.

    Representation: the mean over images of p(man) - p(woman), with its sign. Association: the mean over
    occupations of P(y | man) - P(y | woman), weighted by the planted association with its sign, over the sum
    of the absolute weights; averaged over the datasets of people. Unlike the mean of absolute values, it is
    zero in expectation for a model without the stereotype.

    Parameters
    ----------
    records, published
        As in :mod:`clipfair.tables.m4.data_size`.
    settings
        ``biased`` and ``control``: lists of grids, of the biased and the unbiased synthetic data;
        ``stereotype``: occupation -> planted association with men (or its sign).

    Returns
    -------
    The table, None, the page. Rows with part ``answers``: statistic, claim and the columns of
    :func:`~clipfair.tables.common.findings.judge_checks`, with models of one seed averaged. Rows with part
    ``runs``: statistic, condition, model, seed, value.

    Raises
    ------
    UserError
        If a run is missing, or an occupation of the stereotype was not evaluated.
    """
    check_complete(records, settings, settings["evaluations"])
    last = final(records)
    measures = {
        REPRESENTATION: _by_condition(last[last["metric"] == "parity_mean"], settings),
        ASSOCIATION: _by_condition(_along(last, settings), settings),
    }
    checks = [_check(name, measures[name], *pair) for name in measures for pair in ANSWERS]
    names = pd.DataFrame([{"statistic": c.claim.statistic, "claim": c.claim.text} for c in checks])
    answers = pd.concat([names, judge_checks(checks)], axis=1)
    runs = pd.concat([_runs(name, measure) for name, measure in measures.items()], ignore_index=True)
    table = pd.concat([answers.assign(part="answers"), runs.assign(part="runs")], ignore_index=True)
    return table[["part", *table.columns.drop("part")]], None, _page(answers)


def _along(records: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """Each evaluation's association along the stereotype, one row per run."""
    weights = pd.Series(settings["stereotype"], dtype=float)
    signed = records[(records["metric"] == "association") & records["group"].isna()]
    unknown = sorted(set(weights.index) - set(signed["label"]))
    if unknown:
        raise UserError(
            f"table {settings['table']}: occupations {', '.join(unknown)} of settings.stereotype were not "
            "evaluated; add them to the evaluation in config.yaml or take them from the stereotype"
        )
    signed = signed[signed["label"].isin(weights.index)]
    share = signed["label"].map(weights) / weights.abs().sum()
    key = ["dataset", "balance", *RUN, "attr", "lam", "evaluation"]
    along = signed.assign(value=signed["value"] * share).groupby(key)["value"]
    # If it is undefined for one occupation (no image of a gender), the weighted mean is undefined.
    return along.agg(lambda values: values.sum(skipna=False)).reset_index()


def _by_condition(records: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """One row per model, seed and evaluation, one column per condition."""
    biased = of_grids(records, settings, settings["biased"])
    control = of_grids(records, settings, settings["control"])
    control = control[control["balance"] == BASELINE].assign(balance=CONTROL)
    both = pd.concat([biased[biased["balance"].isin(CONDITIONS)], control])
    cells = both.set_index([*RUN, "evaluation", "balance"])["value"]
    return cells.unstack("balance").reindex(columns=CONDITIONS)


def _check(name: str, measure: pd.DataFrame, condition: str, against: str | None) -> Check:
    other = 0 if against is None else measure[against]
    by_run = (measure[condition] - other).dropna().groupby(level=RUN).mean()
    text = f"{condition} above zero" if against is None else f"{condition} above {against}"
    margin = read_analysis_plan().margin(PLANNED[name])
    return Check(Claim(name, text, STATISTICS[name], "higher", margin), by_run.groupby(level="seed").mean())


def _runs(name: str, measure: pd.DataFrame) -> pd.DataFrame:
    means = measure.groupby(level=RUN).mean()
    long = means.reset_index().melt(RUN, CONDITIONS, var_name="condition").dropna(subset="value")
    return long.assign(statistic=STATISTICS[name])[["statistic", "condition", "model", "seed", "value"]]


def _page(answers: pd.DataFrame) -> str:
    rows = [
        [
            *(r.statistic, r.claim, number(r.mean, sign="+"), f"{number(r.low)} to {number(r.high)}"),
            *(str(r.n), f"{r.margin:g}", p_value_text(r.p_difference), p_value_text(r.p_equivalence)),
            f"**{r.verdict}**",
        ]
        for r in answers.itertuples()
    ]
    head = ["statistic", "expected", "mean", "95%", "seeds", "margin", "p (difference)", "p (equivalence)"]
    return "\n".join(
        [
            "# Known answers: are the planted biases found?",
            "",
            "The synthetic data have more men than women among owners, and occupations that are associated "
            "with one gender. A correct pipeline finds both biases in a model trained on these data, smaller "
            "ones after balancing, and none without planted biases. Verdicts are those of "
            "docs/analysis-plan.md: exact sign-flip tests and tests of equivalence (TOST), each with Holm's "
            "correction over all answers. A seed is one unit: its models are averaged.",
            "",
            describe_power(answers),
            "",
            *markdown_table([*head, "verdict"], rows),
            "",
            "The association of each occupation is signed here and weighted by the planted association. "
            "A mean of absolute values, as in the figures, is above zero for any model, including one "
            "trained on unbiased data.",
            "",
        ]
    )
