"""Table 5 of CLIP the Bias: tasks, classifiers, mitigations."""

from typing import Annotated, Literal

from pydantic import Field

from clipfair.plan.configuration.types import CatalogueEntry
from clipfair.plan.mitigation_settings import (
    BaselineSettings,
    ClassifierSettings,
    CorrelationRemoverSettings,
    M4MitigationSettings,
    R2BSettings,
    ReductionSettings,
    RTOSettings,
    ThresholdOptimizerSettings,
)


class TabularTask(CatalogueEntry):
    """A prediction task on a table, and the groups between which it should be fair."""

    dataset: str
    """Id in resources/datasets.yaml."""
    label: str
    """Binary column that is predicted."""
    sensitive: str
    """The attribute whose groups are compared."""


class ClassifierEntry(CatalogueEntry, ClassifierSettings):
    """The base classifier of all mitigations: one hidden layer, ReLU, log-loss, Adam."""


class BaselineEntry(CatalogueEntry, BaselineSettings):
    """The classifier without mitigation."""

    kind: Literal["baseline"]


class ReductionEntry(CatalogueEntry, ReductionSettings):
    """Exponentiated gradient (fairlearn)."""

    kind: Literal["reduction"]


class ThresholdOptimizerEntry(CatalogueEntry, ThresholdOptimizerSettings):
    """A threshold for each group (fairlearn)."""

    kind: Literal["threshold_optimizer"]


class RTOEntry(CatalogueEntry, RTOSettings):
    """Randomized threshold optimizer."""

    kind: Literal["rto"]


class CorrelationRemoverEntry(CatalogueEntry, CorrelationRemoverSettings):
    """Projection of the features (fairlearn)."""

    kind: Literal["correlation_remover"]


class R2BEntry(CatalogueEntry, R2BSettings):
    """Reduction to binary."""

    kind: Literal["r2b"]


class M4MitigationEntry(CatalogueEntry, M4MitigationSettings):
    """M4 on the training rows."""

    kind: Literal["m4"]


Mitigation = Annotated[
    BaselineEntry
    | ReductionEntry
    | ThresholdOptimizerEntry
    | RTOEntry
    | CorrelationRemoverEntry
    | R2BEntry
    | M4MitigationEntry,
    Field(discriminator="kind"),
]
