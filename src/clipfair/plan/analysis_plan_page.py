"""The page docs/analysis-plan.md, written from the analysis plan.

python -m clipfair.plan.analysis_plan_page
"""

from collections.abc import Iterator

import yaml

from clipfair.core.io import write_text
from clipfair.core.paths import ROOT
from clipfair.metrics.power import equivalence_power, smallest_effect
from clipfair.plan.analysis_plan import (
    AnalysisPlan,
    PilotDifference,
    PlannedClaim,
    PlannedQuestion,
    family_size,
    read_analysis_plan,
)

PAGE = ROOT / "docs/analysis-plan.md"
HEAD = """# Analysis plan

**No results of the study `questions` on this page**: it was written before any run of that study. Runs
before it are exploratory; the section [Pilot](#pilot-exploratory-synthetic-data) quotes one of them, on
synthetic data. The page is made from [resources/analysis_plan.yaml](../resources/analysis_plan.yaml)
(`python -m clipfair.plan.analysis_plan_page`), which the code that judges claims reads.
"""
CLAIM_HEAD = (
    "| claim | world | metric | of | less | expected | margin | smallest effect | power of TOST |",
    "|---|---|---|---|---|---|---|---|---|",
)
WIDTH = 120


def unit_deviation(difference: PilotDifference, plan: AnalysisPlan) -> float:
    """The standard deviation of a unit's difference that the plan assumes from the pilot.

    The t interval over draws gives that of a mean over the seeds of a draw; all of it is taken to be between
    seeds.
    """
    from scipy import stats

    draws = plan.pilot.draws
    half = (difference.high - difference.low) / 2
    of_mean = half * draws**0.5 / stats.t.ppf((1 + plan.confidence) / 2, draws - 1)
    return float(of_mean * plan.pilot.seeds**0.5)


def render() -> str:
    """The page."""
    plan = read_analysis_plan()
    parts = [_rules(plan), _metrics(plan), _worlds(plan), _pilot(plan)]
    parts += [_question(name, question, plan) for name, question in plan.questions.items()]
    parts.append(_deviations(plan))
    return HEAD + "".join(f"\n{line}" for part in parts for line in part) + "\n"


def _rules(plan: AnalysisPlan) -> Iterator[str]:
    yield f"Date: {plan.date}. Level {plan.level:g}, power {plan.power:g}, {plan.confidence:.0%} intervals."
    yield from ("", "## Rules", "")
    for rule in plan.rules:
        yield from _wrapped(f"- **{rule.name}.** {rule.text}", indent="  ")
    yield from ("", "## Verdicts", "", "The first that applies:", "")
    for number, entry in enumerate(plan.verdicts, start=1):
        yield from _wrapped(f"{number}. **{entry.verdict}**: {entry.rule}.", indent="   ")
    yield ""


def _metrics(plan: AnalysisPlan) -> Iterator[str]:
    yield from ("## Metrics", "", "| metric | unit | definition |", "|---|---|---|")
    for metric in plan.metrics.values():
        yield f"| {metric.name} | {metric.unit or '-'} | {metric.text} |"
    yield ""


def _worlds(plan: AnalysisPlan) -> Iterator[str]:
    yield from ("## Worlds", "", "| world | planted | unfairness | check of plain fine-tuning |")
    yield "|---|---|---|---|"
    for name, world in plan.worlds.items():
        check, metric = world.check, plan.metrics[world.check.metric].name
        limit = (
            f"{metric} at least {check.at_least:g}"
            if check.at_least is not None
            else f"upper end of {metric} at most {check.at_most_above_floor:g} above its sampling floor"
        )
        yield f"| `{name}` | {world.text} | {world.unfairness} | {limit} |"
    yield ""
    yield from _wrapped(
        "`fairface` and `web` are not listed: real faces, and the synthetic pairs of CLIP the Bias. Settings "
        "of the fundus images (src/clipfair/data/embedded/fundus_settings.py) in all worlds, what differs, "
        "and the settings of the pairs (web_settings.py there):"
    )
    yield from ("", "```yaml")
    settings = {"common": plan.common_settings}
    settings |= {name: world.settings for name, world in plan.worlds.items() if world.settings}
    settings |= {"gap-rates in Q4": plan.overfit_settings, "web": plan.web_settings}
    yield from yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=WIDTH).splitlines()
    yield from ("```", "")


def _pilot(plan: AnalysisPlan) -> Iterator[str]:
    yield from ("## Pilot (exploratory, synthetic data)", "")
    yield from _wrapped(plan.pilot.text)
    yield ""
    yield (
        "| SYNTHETIC, exploratory: difference in matched DPD, points | mean | 95% interval | "
        "standard deviation of a unit |"
    )
    yield "|---|---|---|---|"
    for entry in plan.pilot.differences.values():
        interval = f"[{entry.low:+.1f}, {entry.high:+.1f}]"
        yield f"| {entry.text} | {entry.mean:+.1f} | {interval} | {unit_deviation(entry, plan):.1f} |"
    yield ""
    yield from _wrapped(
        "**Power.** `smallest effect` is the smallest true difference that is found with the stated power by "
        "a two-sided paired t test at the level of Holm's first step (the level divided by the claims of the "
        "family), in the unit of the metric. `power of TOST` is the probability of the verdict `equivalent "
        "within the margin` at the same step if the true difference is zero. Both assume the standard "
        "deviation of the pilot, also in other worlds and for matched DEOdds, of which there is none. Where "
        "nothing can be assumed, the smallest effect is in standard deviations (SD) of the difference, and "
        "the power of TOST is not known. Claims with little power are likely to end as undecided."
    )
    yield ""


def _question(name: str, question: PlannedQuestion, plan: AnalysisPlan) -> Iterator[str]:
    yield from (f"## {name}. {question.question}", "")
    for title, text in (
        ("Hypothesis", question.hypothesis),
        ("Worlds", ", ".join(f"`{world}`" for world in question.worlds) + "."),
        ("Grid", question.grid + "."),
        ("Units", f"{question.units}, numbered from 0; halves of {question.units // 2}."),
    ):
        yield from _wrapped(f"- **{title}.** {text}", indent="  ")
    for family, claims in question.families.items():
        count = family_size(claims)
        yield from ("", f"Family `{family}`, {count} {'claim' if count == 1 else 'claims'}:", "", *CLAIM_HEAD)
        for claim in claims:
            yield _claim(claim, question.units, count, plan)
    yield ""
    yield from _wrapped(f"- **Refuted.** {question.refuted}", indent="  ")
    yield from _wrapped(f"- **Secondary.** {question.secondary}.", indent="  ")
    yield ""


def _claim(claim: PlannedClaim, units: int, count: int, plan: AnalysisPlan) -> str:
    metric, level = plan.metrics[claim.metric], plan.level / count
    if claim.pilot is None:
        effect, power = f"{smallest_effect(1, units, level, plan.power):.2f} SD", "-"
    else:
        deviation = unit_deviation(plan.pilot.differences[claim.pilot], plan)
        effect = f"{smallest_effect(deviation, units, level, plan.power):.1f}"
        power = f"{equivalence_power(deviation, units, claim.margin, level):.2f}"
    times = "" if claim.repeated == 1 else f" ({claim.repeated} claims)"
    cells = [claim.id + times, claim.world, metric.name, claim.of, claim.less, claim.expected]
    return "| " + " | ".join([*cells, f"{claim.margin:g}", effect, power]) + " |"


def _deviations(plan: AnalysisPlan) -> Iterator[str]:
    yield from ("## Deviations", "", "Changes after the first run, by date.", "")
    if not plan.deviations:
        yield "None."
    for entry in plan.deviations:
        yield from _wrapped(f"- {entry.date}, {entry.question}: {entry.what}. {entry.why}", indent="  ")


def _wrapped(text: str, *, indent: str = "") -> Iterator[str]:
    from textwrap import wrap

    yield from wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    write_text(PAGE, render())
