"""The six findings of CLIP the Bias (section 3) as explicit checks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipfair.metrics.statistics import seed_interval, signed_rank
from clipfair.tables.common.markdown import markdown_table, number, p_value_text
from clipfair.tables.common.records import check_complete
from clipfair.tables.m4.selection import BASELINE, final, of_grids

BALANCED, PROXIES = "balanced", "proxies"
WITHOUT, WITH = "without", "with"

# Chosen before any result was seen; docs/m4-results.md says why.
ALPHA = 0.05
MARGIN = 0.005

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
RUN = ["model", "method", "seed"]
# What conditions are matched on; then a run's mean over evaluations and metrics counts once.
MATCHED = [*RUN, "evaluation", "metric"]
RECALLS = ["text_to_image_recall_5", "image_to_text_recall_5"]


@dataclass(frozen=True)
class Check:
    """One claim that a number is above ``-margin``.

    ``measure`` names one of the tables of :func:`_measures`, which have a column a condition; ``contrast``
    makes of it the number, linear in the conditions, so that a run's mean over evaluations is one.
    """

    finding: str
    claim: str
    measure: str
    statistic: str
    contrast: Callable[[pd.DataFrame], pd.Series]
    margin: float = 0.0


TITLES = {
    "I": "Proxies mitigate representation bias",
    "II": "But proxies hurt association bias",
    "III": "Fine-tuning is effective for representation bias",
    "IV": "But fine-tuning is less effective for association bias",
    "V": "Mixed impact on model performance",
    "VI": "But improving data quality and architecture helps",
}

# Names of two-stage runs: which distribution comes first, and how long.
LATE, EARLY = "original 90%, then proxies", "proxies 90%, then original"

CHECKS = [
    Check(
        "I",
        "representation bias is lower with proxies than without intervention",
        "representation",
        "baseline - proxies",
        lambda bias: bias[BASELINE] - bias[PROXIES],
    ),
    Check(
        "I",
        "and lower than with balancing alone",
        "representation",
        "balanced - proxies",
        lambda bias: bias[BALANCED] - bias[PROXIES],
    ),
    Check(
        "II",
        "association bias is higher with proxies than with balancing alone",
        "association",
        "proxies - balanced",
        lambda bias: bias[PROXIES] - bias[BALANCED],
    ),
    Check(
        "III",
        "the last tenth of training on proxies lowers representation bias",
        "representation",
        f"baseline - ({LATE})",
        lambda bias: bias[BASELINE] - bias[LATE],
    ),
    Check(
        "III",
        "the last distribution counts more than the longer one",
        "representation",
        f"({EARLY}) - ({LATE})",
        lambda bias: bias[EARLY] - bias[LATE],
    ),
    Check(
        "IV",
        "the last tenth takes away less than half of the association bias that training on proxies does",
        "association",
        f"({LATE}) - (baseline + proxies) / 2",
        lambda bias: bias[LATE] - (bias[BASELINE] + bias[PROXIES]) / 2,
    ),
    Check(
        "IV",
        "the longer distribution counts more than the last one",
        "association",
        f"({LATE}) - ({EARLY})",
        lambda bias: bias[LATE] - bias[EARLY],
    ),
    Check(
        "V",
        "balancing improves classification",
        "classification",
        "(balanced + proxies) / 2 - baseline",
        lambda quality: (quality[BALANCED] + quality[PROXIES]) / 2 - quality[BASELINE],
    ),
    Check(
        "V",
        "and hurts retrieval",
        "retrieval",
        "baseline - (balanced + proxies) / 2",
        lambda quality: quality[BASELINE] - (quality[BALANCED] + quality[PROXIES]) / 2,
    ),
    Check(
        "VI",
        "with SigLIP on filtered data, balancing costs less than half a percentage point of classification",
        "siglip_classification",
        "with - without",
        lambda quality: quality[WITH] - quality[WITHOUT],
        margin=MARGIN,
    ),
    Check(
        "VI",
        "and less than that of retrieval",
        "siglip_retrieval",
        "with - without",
        lambda quality: quality[WITH] - quality[WITHOUT],
        margin=MARGIN,
    ),
]


def build(records: pd.DataFrame, published: None, settings: Mapping) -> tuple[pd.DataFrame, None, str]:
    """Check each finding on the last checkpoints; runs of one model and seed are matched.

    Parameters
    ----------
    records, published
        As of :mod:`clipfair.tables.m4.data_size`.
    settings
        ``clip``: the grids with conditions and schedules; ``siglip``: {grids, without, with}, the grids and
        the two conditions of Tables 2 and 3.

    Returns
    -------
    The table, none, the page. One line a check: finding, title, claim, statistic, margin, estimate (the mean
    over runs, above -margin if the claim is true), low and high (95%, bootstrap over seeds), test, p_value
    (one-sided: the statistic is above -margin), p_against (it is below), n (runs), seeds, verdict and
    finding_verdict.

    A check holds if p_value is at most 0.05 and does not hold if p_against is; else it is undecided, as it is
    without runs. A finding holds if all of its checks do, and does not if one does not.

    Raises
    ------
    UserError
        If a run is missing.
    """
    check_complete(records, settings, settings["evaluations"])
    measures = _measures(final(records), settings)
    table = pd.DataFrame([_line(check, measures[check.measure]) for check in CHECKS])
    verdicts = {
        finding: _together(list(frame["verdict"])) for finding, frame in table.groupby("finding", sort=False)
    }
    table["finding_verdict"] = table["finding"].map(verdicts)
    return table, None, _page(table, settings)


def _measures(records: pd.DataFrame, settings: Mapping) -> dict[str, pd.DataFrame]:
    """Each measure as a table with a line a matched value and a column a condition."""
    # Of all classes and draws together.
    records = records[records["label"].isna() & records["group"].isna()]
    clip = _named(of_grids(records, settings, settings["clip"]), settings)
    siglip = settings["siglip"]
    names = {siglip["without"]: WITHOUT, siglip["with"]: WITH}
    siglip_runs = of_grids(records, settings, siglip["grids"])
    siglip_runs = siglip_runs.assign(balance=siglip_runs["balance"].map(names))
    parity = clip[clip["metric"] == "parity_mean"]
    return {
        "representation": _by_condition(parity.assign(value=parity["value"].abs())),
        "association": _by_condition(clip[clip["metric"] == "association_mean"]),
        "classification": _by_condition(_classification(clip)),
        "retrieval": _by_condition(clip[clip["metric"].isin(RECALLS)]),
        "siglip_classification": _by_condition(_classification(siglip_runs)),
        "siglip_retrieval": _by_condition(siglip_runs[siglip_runs["metric"].isin(RECALLS)]),
    }


def _named(records: pd.DataFrame, settings: Mapping) -> pd.DataFrame:
    """Schedules of baseline and proxies under the name of what they do."""
    names = {}
    for balance, stages in settings["schedules"].items():
        (first, share), (second, _) = stages
        if share > 0.5 and {first, second} == {BASELINE, PROXIES}:
            names[balance] = LATE if second == PROXIES else EARLY
    return records.assign(balance=records["balance"].replace(names))


def _classification(records: pd.DataFrame) -> pd.DataFrame:
    zero_shot = (records["kind"] == "zero_shot") & (records["metric"] == "accuracy")
    return records[zero_shot | (records["metric"] == "accuracy_10shot")]


def _by_condition(records: pd.DataFrame) -> pd.DataFrame:
    return records.set_index([*MATCHED, "balance"])["value"].unstack("balance")


def _line(check: Check, measure: pd.DataFrame) -> dict:
    try:
        numbers = check.contrast(measure).dropna().groupby(level=RUN).mean()
    except KeyError:
        # A condition that no grid of this study has.
        numbers = pd.Series(dtype=float, index=pd.MultiIndex.from_tuples([], names=RUN))
    seeds = numbers.index.get_level_values("seed")
    low, high = seed_interval(numbers, seeds)
    for_it, against = (
        signed_rank(numbers + check.margin, alternative=alternative).p_value
        for alternative in ("greater", "less")
    )
    return {
        "finding": check.finding,
        "title": TITLES[check.finding],
        "claim": check.claim,
        "statistic": f"{check.measure.replace('_', ' ')}: {check.statistic}",
        "margin": check.margin,
        "estimate": numbers.mean(),
        "low": low,
        "high": high,
        "test": "Wilcoxon signed-rank, one-sided, exact",
        "p_value": for_it if len(numbers) else np.nan,
        "p_against": against if len(numbers) else np.nan,
        "n": len(numbers),
        "seeds": len(set(seeds)),
        "verdict": HOLDS if for_it <= ALPHA else FAILS if against <= ALPHA else UNDECIDED,
    }


def _together(verdicts: Sequence[str]) -> str:
    """All checks must hold (no correction needed: each is tested at the level); one that fails is enough."""
    if FAILS in verdicts:
        return FAILS
    return UNDECIDED if UNDECIDED in verdicts else HOLDS


def _page(table: pd.DataFrame, settings: Mapping) -> str:
    lines = [
        "# The six findings of CLIP the Bias, checked",
        "",
        "Each finding is one or more claims about a number, written down before the runs. A claim "
        f"*holds* if an exact one-sided signed-rank test over runs rejects the opposite at {ALPHA:g}, "
        "*does not hold* if it rejects the claim itself, and is *undecided* otherwise: with fewer than "
        "five runs nothing can be decided. A finding holds if all its claims do, and does not if one "
        "does not.",
        "",
    ]
    if settings["incomparable"]:
        lines += [f"What is found here says nothing of the published models: {settings['incomparable']}.", ""]
    summary = table.drop_duplicates("finding")
    rows = [[r.finding, r.title, f"**{r.finding_verdict}**"] for r in summary.itertuples()]
    lines += markdown_table(["", "finding", "here"], rows)
    for _, frame in table.groupby("finding", sort=False):
        first = frame.iloc[0]
        lines += ["", f"## {first['finding']}. {first['title']}: {first['finding_verdict']}", ""]
        lines += [_sentence(r) for r in frame.itertuples()]
    return "\n".join([*lines, *_FOOT])


def _sentence(r) -> str:
    if r.n == 0:
        return f"- *{r.claim}*: undecided, as this study has no such runs."
    interval = (
        ""
        if pd.isna(r.low)
        else f" (95% over seeds: {number(r.low, sign='+')} to {number(r.high, sign='+')})"
    )
    return (
        f"- *{r.claim}*: **{r.verdict}**. {r.statistic.capitalize()} = {number(r.estimate, sign='+')}"
        f"{interval}, p = {p_value_text(r.p_value)}, {_count(r.n, 'run')} of {_count(r.seeds, 'seed')}."
    )


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


_FOOT = [
    "",
    "Representation bias is |mean p(man) - p(woman)|; association bias the mean over occupations of "
    "|p(y|man) - p(y|woman)|, averaged over the datasets of people; classification the mean of zero-shot and "
    "10-shot accuracies; retrieval the mean of recall@5 both ways. All are of the last checkpoint, as shares "
    "in [0, 1].",
    "",
]
