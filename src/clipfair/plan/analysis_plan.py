"""The analysis plan, written before any run of the study `questions`: resources/analysis_plan.yaml.

Code that judges a claim takes level, margin, expected direction and number of units from here.
"""

from functools import cache
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from clipfair.core.errors import unknown
from clipfair.core.paths import ROOT
from clipfair.core.settings import SettingsModel, parse
from clipfair.plan.configuration.types import Count, Number, Positive, Share

FILE = ROOT / "resources/analysis_plan.yaml"
Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class NamedRule(SettingsModel):
    """A rule of the analysis."""

    name: str
    text: str


class VerdictRule(SettingsModel):
    """A verdict, and when it is given."""

    verdict: str
    rule: str


class PlannedMetric(SettingsModel):
    """A metric that claims are about."""

    name: str
    unit: Literal["points", ""]
    """points: percentage points; empty: a number without a unit."""
    text: str


class WorldCheck(SettingsModel):
    """Condition on plain fine-tuning (mean over units) under which the claims in a world are judged."""

    metric: str
    at_least: Number | None = None
    at_most_above_floor: Number | None = None
    """Upper limit above the sampling floor, the value of exact parity at this size and selection rate."""


class PlannedWorld(SettingsModel):
    """A world, and what is planted in it."""

    text: str
    unfairness: str
    check: WorldCheck
    settings: dict[str, Any]
    """Overrides of the common settings of all worlds."""


class PilotDifference(SettingsModel):
    """A mean over draws with its 95% t interval."""

    text: str
    mean: Number
    low: Number
    high: Number


class Pilot(SettingsModel):
    """The pilot that supplies the standard deviations."""

    text: str
    draws: Count
    seeds: Count
    differences: dict[str, PilotDifference]


class PlannedClaim(SettingsModel):
    """A difference within units, and its expected direction."""

    id: str
    world: str
    metric: str
    of: str
    less: str
    """Subtracted condition."""
    expected: Literal["lower", "higher", "equivalent"]
    margin: Positive
    """The smallest difference that matters."""
    pilot: str | None = None
    """Difference of the pilot whose standard deviation is assumed; null: not known."""
    repeated: Count = 1
    """Number of claims of this form in the family."""


class PlannedQuestion(SettingsModel):
    """A question with its families of claims; Holm's correction is within a family."""

    question: str
    hypothesis: str
    worlds: list[str]
    grid: str
    units: Count
    families: dict[str, list[PlannedClaim]]
    refuted: str
    secondary: str


class Deviation(SettingsModel):
    """A change after the first run."""

    date: Date
    question: str
    what: str
    why: str


class AnalysisPlan(SettingsModel):
    """The whole plan."""

    date: Date
    level: Share
    power: Share
    confidence: Share
    largest_cost: Positive
    """Points of AUC on validation that a chosen λ may cost."""
    levelling_down: Positive
    """Points of AUC of the worst group: a gap that closes at a larger loss is closed by levelling down."""
    verdicts: list[VerdictRule]
    rules: list[NamedRule]
    metrics: dict[str, PlannedMetric]
    common_settings: dict[str, Any]
    overfit_settings: dict[str, Any]
    """Overrides of the settings of the world in Q4."""
    web_settings: dict[str, Any]
    """Settings of the synthetic pairs of the world web."""
    worlds: dict[str, PlannedWorld]
    pilot: Pilot
    questions: dict[str, PlannedQuestion] = Field(min_length=1)
    deviations: list[Deviation]

    @property
    def judgement(self) -> dict[str, Any]:
        """The inputs of verdicts: the numbers of the rules and the claims, without texts and deviations."""
        numbers = self.model_dump(include={"level", "power", "confidence", "largest_cost", "levelling_down"})
        checks = {name: world.check.model_dump() for name, world in self.worlds.items()}
        return numbers | {"checks": checks, "claims": [claim.model_dump() for claim in self.claims]}

    @property
    def claims(self) -> list[PlannedClaim]:
        """The claims of all questions."""
        families = [family for question in self.questions.values() for family in question.families.values()]
        return [claim for family in families for claim in family]

    def claim(self, name: str) -> PlannedClaim:
        """A claim by its id.

        Raises
        ------
        KeyError
            If the plan does not have it.
        """
        found = {claim.id: claim for claim in self.claims}
        if name not in found:
            raise KeyError(unknown("claim of the analysis plan", name, found))
        return found[name]

    def margin(self, metric: str) -> float:
        """The smallest difference in a metric that matters, which all claims about it share.

        Raises
        ------
        ValueError
            If no claim is about it, or their margins differ.
        """
        found = {claim.margin for claim in self.claims if claim.metric == metric}
        if len(found) != 1:
            raise ValueError(f"the analysis plan has {len(found)} margins of {metric!r}, expected one")
        return found.pop()

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        names = [claim.id for claim in self.claims]
        if len(set(names)) < len(names):
            raise ValueError("two claims have the same id")
        for claim in self.claims:
            if claim.metric not in self.metrics:
                raise ValueError(f"{claim.id}: {unknown('metric', claim.metric, self.metrics)}")
            if claim.pilot is not None and claim.pilot not in self.pilot.differences:
                raise ValueError(f"{claim.id}: {unknown('difference', claim.pilot, self.pilot.differences)}")
        for name, world in self.worlds.items():
            if world.check.metric not in self.metrics:
                raise ValueError(f"{name}: {unknown('metric', world.check.metric, self.metrics)}")
        for deviation in self.deviations:
            if deviation.question not in self.questions:
                raise ValueError(unknown("question", deviation.question, self.questions))
            if deviation.date < self.date:
                raise ValueError(f"the deviation of {deviation.date} is before the plan, {self.date}")
        return self


@cache
def read_analysis_plan() -> AnalysisPlan:
    """The analysis plan of the repository."""
    return parse(AnalysisPlan, yaml.safe_load(FILE.read_text(encoding="utf-8")))


def family_size(family: list[PlannedClaim]) -> int:
    """The number of claims that Holm's correction is for."""
    return sum(claim.repeated for claim in family)
