"""The settings of the mitigation methods of Table 5: one model for the configuration and the method.

A method is a module in ``clipfair.tabular.methods``; :data:`MITIGATION_SETTINGS` names the model of each.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from clipfair.core.settings import SettingsModel, parse_settings_of
from clipfair.plan.m4_options import M4Options


class ClassifierSettings(SettingsModel):
    """The base classifier of Table 5: a multilayer perceptron (appendix A.2.4).

    The paper gives 128 hidden units and a learning rate of 0.001. It does not give the batch size or the
    number of epochs. Their defaults have nearly the least validation log-loss of the unmitigated classifier
    that the table's time allows, and serve both datasets and all methods.
    """

    hidden_units: int = Field(128, ge=1)
    """Width of the one hidden layer (ReLU)."""
    learning_rate: float = Field(0.001, gt=0)
    """Adam's initial learning rate."""
    batch_size: int = Field(128, ge=1)
    """Examples in a step."""
    epochs: int = Field(6, ge=1)
    """Passes over the training data; there is no early stopping."""
    library: Literal["clipfair", "scikit-learn"] = "clipfair"
    """The implementation. scikit-learn: its `MLPClassifier` with its default L2 penalty of 0.0001, four times
    slower."""


class MitigationSettings(SettingsModel):
    """The settings of every mitigation method."""

    split_seed: int | None = Field(None, ge=0)
    """Seed of one split for all repeats, which then differ in the initial weights, the order of the
    minibatches and random decisions; by default a repeat has its own split."""


class BaselineSettings(MitigationSettings):
    """No settings of its own: the base classifier, no mitigation."""


class ReductionSettings(MitigationSettings):
    """fairlearn's ``ExponentiatedGradient`` under demographic parity: its names and defaults."""

    difference_bound: float = Field(0.01, gt=0)
    """Allowed difference between a group's selection rate and the overall one; two groups may differ by
    twice as much."""
    eps: float = Field(0.01, gt=0)
    """1 / eps bounds the Lagrange multipliers."""
    max_iter: int = Field(50, ge=1)
    """Iterations at most; each fits two or three classifiers."""


class ThresholdOptimizerSettings(MitigationSettings):
    """fairlearn's ``ThresholdOptimizer`` under demographic parity."""

    predict_method: Literal["predict", "predict_proba"] = "predict"
    """predict: thresholds on the classifier's hard labels, fairlearn's default until 0.10, hence the
    paper's; a group's rule then mixes the classifier with a constant. predict_proba: thresholds on its
    probabilities, for which the method was made."""


class RTOSettings(MitigationSettings):
    """Randomized threshold optimizer: the names and defaults of the authors' code."""

    gamma: float = Field(1.0, gt=0)
    """Width of the zone of scores, in [-1, 1], within which decisions are random."""
    eps: float = Field(0.0, ge=0)
    """Allowed difference of mean decisions between groups."""
    rho: Annotated[float, Field(ge=0, le=1)] | Literal["mean"] = "mean"
    """The mean decision of all groups; mean: the mean predicted probability."""


class CorrelationRemoverSettings(MitigationSettings):
    """fairlearn's ``CorrelationRemover``: its name and default."""

    alpha: float = Field(1.0, ge=0, le=1)
    """Share of the correlation to remove."""


class R2BSettings(MitigationSettings):
    """No settings of its own: gamma and eta of the authors' code only change how it converges to the
    projection, and their default eps = 0 asks for exact agreement."""


class M4MitigationSettings(MitigationSettings, M4Options):
    """M4 on the training rows: what section 5 of the paper leaves open and appendix A.2.4 does not say."""

    use: Literal["subsample", "reweigh"] = "subsample"
    """subsample: keep a row with probability q / Q, as the paper does throughout; reweigh: train on all
    rows with weights q / eta."""
    target: Literal["data", "uniform"] = "data"
    """pi. data: the groups' shares in the training rows, so that only the association with the label is
    balanced; uniform: equal shares."""

    @model_validator(mode="after")
    def _check_sampling(self) -> "M4MitigationSettings":
        if self.use == "subsample" and not math.isfinite(self.max_weight):
            raise ValueError("use subsample needs a finite max_weight")
        return self


MITIGATION_SETTINGS: dict[str, type[MitigationSettings]] = {
    "baseline": BaselineSettings,
    "reduction": ReductionSettings,
    "threshold_optimizer": ThresholdOptimizerSettings,
    "rto": RTOSettings,
    "correlation_remover": CorrelationRemoverSettings,
    "r2b": R2BSettings,
    "m4": M4MitigationSettings,
}


def parse_mitigation(kind: str, values: Mapping) -> MitigationSettings:
    """The settings of the method ``kind`` from plain values; what is not named has its default.

    Raises
    ------
    UserError
        If the method or a setting is unknown, or a value of the wrong type or out of range.
    """
    return parse_settings_of(MITIGATION_SETTINGS, kind, values, what="mitigation method")
