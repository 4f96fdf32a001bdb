"""The settings of the builders of tables: one model for each builder, by its module in clipfair.tables.

A builder that is not listed takes no settings.
"""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from clipfair.core.settings import SettingsModel
from clipfair.plan.configuration.types import Count, Ids, Lam, Number, Share, SomeIds, Whole


class NoSettings(SettingsModel):
    """No settings."""


class ShownSettings(SettingsModel):
    """Common settings of tables that show values of evaluations."""

    shown: SomeIds
    """Ids of evaluations."""
    groups: list[str] | None = None
    """Groups whose values are shown; all examples together unless given."""
    conditions: list[str] | None = None
    """Conditions, in order; all those of the grids unless given."""


class MetricSettings(ShownSettings):
    """One metric."""

    metric: str


class DynamicsSettings(MetricSettings):
    """One metric, by the time of the intervention."""

    intervention: str
    """The condition that replaces the baseline."""


class MetricsSettings(ShownSettings):
    """Several metrics."""

    metrics: SomeIds


class HumanShareSettings(MetricsSettings):
    """Several metrics, by the share of human examples."""

    human_shares: dict[str, Share]
    """Condition -> share of the human examples that it keeps."""


class ClaimSettings(MetricsSettings):
    """A claim of the paper: that a p-value is above `smallest_p`, or below `largest_p` with a direction."""

    section: str
    quantity: str
    smallest_p: Share | None = None
    largest_p: Share | None = None
    direction: Literal["higher", "lower"] | None = None
    """Direction of the metrics relative to the baseline."""

    @model_validator(mode="after")
    def _says_what_is_expected(self) -> Self:
        has_direction = self.direction is not None
        if (self.largest_p is not None) != has_direction or (self.smallest_p is not None) == has_direction:
            raise ValueError("expected either smallest_p, or largest_p and direction")
        return self


class ClaimsSettings(SettingsModel):
    """Claims that are tested."""

    claims: list[ClaimSettings] = Field(min_length=1)


class SiglipSettings(SettingsModel):
    """The grids of SigLIP models, and their conditions."""

    grids: list[str]
    without: str
    """Condition without the balancing."""
    with_: str = Field(alias="with")
    """Condition with it."""


class M4FindingsSettings(SettingsModel):
    """The grids that the findings of CLIP the Bias compare."""

    clip: list[str]
    """Grids of CLIP models."""
    siglip: SiglipSettings


class KnownAnswersSettings(SettingsModel):
    """The grids that are trained on biased and on unbiased synthetic data."""

    biased: list[str]
    control: list[str]


class EvaluationSettings(SettingsModel):
    """A table of group fairness."""

    evaluation: str | list[str] | None = None
    """Ids of evaluations, one for each model; the only one of the kind unless given."""
    title: str | None = None
    """The title of the page."""


class MmdSettings(EvaluationSettings):
    """A table of group fairness on two splits."""

    validation: str | None = None
    """Id of the evaluation on the validation split."""


class SwitchesSettings(EvaluationSettings):
    """Methods that differ from one in one switch."""

    base: str
    """Id of that method."""


class EpochsSettings(SettingsModel):
    """A table of the quantities tracked at each epoch."""

    split: Literal["validation", "test"] | None = None
    """The split that is tracked; test unless given."""
    distances: list[str] | None = None
    """Metrics of distances."""


class FairclipFindingsSettings(EvaluationSettings):
    """The methods that the findings of the reproduction compare."""

    roles: dict[str, Any]
    """Role -> id of a method; `selection` -> a mapping (src/clipfair/tables/fairclip/roles.py)."""


class RunValue(SettingsModel):
    """A value of runs, one for each unit. The levels given must select one setting among the runs of a
    world."""

    method: str | None = None
    """Id in `methods`."""
    lam: Lam | Literal["chosen"] | None = None
    """λ. chosen: for each unit the one of the lowest matched DPD on validation among those whose AUC there is
    at most the plan's `largest_cost` below that of `plain`."""
    model: str | None = None
    """Id in `models`."""
    balance: str | None = None
    """Id in `balances` or `schedules`."""
    kind: str | None = None
    """Kind of the evaluation, if several have the metric; threshold_free unless given."""
    weight: Number = 1
    """Weight of the value in the sum."""
    correlation: list[str] | None = Field(default=None, min_length=2, max_length=2)
    """A distance and a metric: their rank correlation over the fine-tuned models of a world, in place of a
    value."""


class ClaimContrast(SettingsModel):
    """The difference that a claim is about: a sum of values minus another one."""

    of: list[RunValue] = Field(min_length=1)
    """Values that are added."""
    less: list[RunValue] = Field(default=[])
    """Values that are subtracted; zero unless given."""
    methods: Ids = Field(default=[])
    """Repeated claims: one claim for each of these methods, which replaces the method in `of`."""


class WorldsSettings(SettingsModel):
    """Values of all methods in some worlds, and their differences from a baseline."""

    worlds: dict[str, str] = Field(min_length=1)
    """World -> id of the training dataset."""
    plain: RunValue | None = None
    """Plain fine-tuning, the baseline of every method without one in `baselines`; null: no differences."""
    attributes: SomeIds = Field(default=["race"])
    """Sensitive attributes, and intersections such as `race x gender`; claims are about the first."""


class DifferencesSettings(WorldsSettings):
    """Differences without verdicts: no plan has claims about these data."""

    title: str
    """Title of the page."""
    pairs: dict[str, str] = Field(default={})
    """Method -> another method with the same settings of runs, from which it is also subtracted."""


class QuestionSettings(WorldsSettings):
    """A question of the analysis plan; the plan supplies everything about its claims that is not given
    here."""

    question: str
    """Id in resources/analysis_plan.yaml."""
    contrasts: dict[str, ClaimContrast]
    """Id of a claim: its difference."""
    published_gains: dict[str, Number] = Field(default={})
    """Id of a claim: the difference that would be the whole gain that FairCLIP reports."""
    missing_units: list[Whole] = Field(default=[])
    """Units that a grid does not have, because a run ended twice with a loss that is not finite."""
    trial_units: Count | None = None
    """Units of a trial run, fewer than planned: no claim is judged."""


TABLE_SETTINGS: dict[str, type[SettingsModel]] = {
    "m4.data_size": MetricSettings,
    "m4.learning_dynamics": DynamicsSettings,
    "m4.quality": MetricsSettings,
    "m4.published_models": MetricsSettings,
    "m4.human_share": HumanShareSettings,
    "m4.quality_tests": ClaimsSettings,
    "m4.findings": M4FindingsSettings,
    "m4.known_answers": KnownAnswersSettings,
    "fairclip.zero_shot": EvaluationSettings,
    "fairclip.distances": EvaluationSettings,
    "fairclip.original_table3": EvaluationSettings,
    "fairclip.linear_probe": EvaluationSettings,
    "fairclip.mmd": MmdSettings,
    "fairclip.lambda_sweep": EvaluationSettings,
    "fairclip.fairface": EvaluationSettings,
    "fairclip.switches": SwitchesSettings,
    "fairclip.distance_vs_metrics": EpochsSettings,
    "fairclip.findings": FairclipFindingsSettings,
    "questions.question": QuestionSettings,
    "questions.differences": DifferencesSettings,
}
