"""Settings of the mitigation methods of Table 5, shared by the configuration and the methods.

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
    number of epochs. Their defaults give nearly the smallest validation log-loss of the unmitigated
    classifier within the time allowed for the table; both datasets and all methods use them.
    """

    hidden_units: int = Field(128, ge=1)
    """Width of the single hidden layer (ReLU)."""
    learning_rate: float = Field(0.001, gt=0)
    """Initial learning rate of Adam."""
    batch_size: int = Field(128, ge=1)
    """Batch size."""
    epochs: int = Field(6, ge=1)
    """Number of passes over the training data; there is no early stopping."""
    library: Literal["clipfair", "scikit-learn"] = "clipfair"
    """Implementation. scikit-learn: its `MLPClassifier` with the default L2 penalty of 0.0001, four times
    slower."""


class MitigationSettings(SettingsModel):
    """Settings of all mitigation methods."""

    split_seed: int | None = Field(None, ge=0)
    """Seed of a split used by all repeats, which then differ in the initial weights, the order of the
    minibatches and random decisions; null: each repeat has its own split."""


class BaselineSettings(MitigationSettings):
    """The base classifier without mitigation; no settings of its own."""


class ReductionSettings(MitigationSettings):
    """fairlearn's ``ExponentiatedGradient`` under demographic parity, with its names and defaults."""

    difference_bound: float = Field(0.01, gt=0)
    """Allowed difference between a group's selection rate and the overall one; two groups may differ by
    twice as much."""
    eps: float = Field(0.01, gt=0)
    """1 / eps bounds the Lagrange multipliers."""
    max_iter: int = Field(50, ge=1)
    """Maximum number of iterations; each fits two or three classifiers."""


class ThresholdOptimizerSettings(MitigationSettings):
    """fairlearn's ``ThresholdOptimizer`` under demographic parity."""

    predict_method: Literal["predict", "predict_proba"] = "predict"
    """predict: thresholds on the hard labels of the classifier, the default of fairlearn until 0.10 and hence
    of the paper; the rule of a group then mixes the classifier with a constant. predict_proba: thresholds
    on probabilities, for which the method was designed."""


class RTOSettings(MitigationSettings):
    """Randomized threshold optimizer, with the names and defaults of the authors' code."""

    gamma: float = Field(1.0, gt=0)
    """Width of the interval of scores, in [-1, 1], within which decisions are random."""
    eps: float = Field(0.0, ge=0)
    """Allowed difference in mean decision between groups."""
    rho: Annotated[float, Field(ge=0, le=1)] | Literal["mean"] = "mean"
    """Mean decision of all groups; mean: the mean predicted probability."""


class CorrelationRemoverSettings(MitigationSettings):
    """fairlearn's ``CorrelationRemover``, with its name and default."""

    alpha: float = Field(1.0, ge=0, le=1)
    """Share of the correlation that is removed."""


class R2BSettings(MitigationSettings):
    """No settings of its own: gamma and eta of the authors' code only change the convergence to the
    projection, and their default eps = 0 requires exact agreement."""


class M4MitigationSettings(MitigationSettings, M4Options):
    """M4 on the training rows: settings that section 5 and appendix A.2.4 of the paper leave open."""

    use: Literal["subsample", "reweigh"] = "subsample"
    """subsample: keep a row with probability q / Q, as the paper does throughout; reweigh: train on all
    rows with weights q / eta."""
    target: Literal["data", "uniform"] = "data"
    """Target shares pi. data: the shares of the groups in the training rows, so that only the association
    with the label is balanced; uniform: equal shares."""

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
    """Parse the settings of the method ``kind`` from plain values; missing ones get their defaults.

    Raises
    ------
    UserError
        If the method or a setting is unknown, or a value of the wrong type or out of range.
    """
    return parse_settings_of(MITIGATION_SETTINGS, kind, values, what="mitigation method")
