"""Settings of each kind of condition, shared by the configuration and the balancing job.

The kinds are

- ``all``: every example (the baseline).
- ``m4``: balancing by M4 (section 5).
- ``quality``: the ``share`` with the highest image-text similarity over all shards (section 4.4).
- ``drop_human``: a ``share`` of the examples with humans is dropped at random, all others stay (appendix
  A.6). With the same seed, a smaller share drops a subset of what a larger share drops.
- ``neutralise``: every example, with captions rewritten (appendix A.6).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from clipfair.core.settings import SettingsModel, parse_settings_of
from clipfair.plan.m4_options import M4Options

TargetRule = Literal["data", "uniform", "median"]
Labels = Sequence[str] | Mapping[str, Sequence[str]]


class ConditionSettings(SettingsModel):
    """Settings of all conditions: the biases that the audit measures (and M4 removes)."""

    sensitive: Sequence[str] = Field(("gender",), min_length=1)
    """Attributes whose groups are compared, and balanced by M4."""
    labels: Labels = ("occupation", "proxy")
    """Attributes with which the sensitive ones should not be associated; or a mapping from each sensitive
    attribute to its own list. A sensitive attribute may be a label of another one (appendix A.2.3: age for
    gender)."""
    target: TargetRule | Mapping[str, Annotated[float, Field(ge=0, le=1)]] = "data"
    """Target proportions of the groups. data: those of the data; uniform or median: equal shares, or the
    median share, of the groups of one attribute in one modality. A mapping gives shares by group (gender=male
    in every modality, or text.gender=male); the other groups keep their share in the data."""

    @property
    def labels_of(self) -> dict[str, tuple[str, ...]]:
        """The label attributes of each sensitive attribute."""
        if isinstance(self.labels, Mapping):
            return {name: tuple(self.labels.get(name, ())) for name in self.sensitive}
        return {name: tuple(self.labels) for name in self.sensitive}

    @property
    def label_attributes(self) -> list[str]:
        """All label attributes, each once."""
        return list(dict.fromkeys(label for labels in self.labels_of.values() for label in labels))

    @model_validator(mode="after")
    def _check_labels(self) -> "ConditionSettings":
        for name, labels in self.labels.items() if isinstance(self.labels, Mapping) else ():
            if name not in self.sensitive:
                known = ", ".join(self.sensitive)
                raise ValueError(f"labels are given for {name!r}, which is not among sensitive: {known}")
            if name in labels:
                raise ValueError(
                    f"{name!r} is among its own labels: an attribute cannot be independent of itself"
                )
        return self


class M4ConditionSettings(M4Options, ConditionSettings):
    """Balancing by M4 (section 5): no representation bias, no association bias.

    At the largest feasible rate some multipliers are large, so the penalty must be large, too: on the
    captions of Flickr30k, a penalty of 10 leaves violations of 1e-5 there, 1000 leaves none.
    """

    sensitive: Sequence[str] = Field(min_length=1)
    """Attributes whose groups are balanced."""
    labels: Labels
    """Attributes made independent of the sensitive ones; or a mapping from each sensitive attribute to a
    list."""
    min_rate: float = Field(0.0, ge=0)
    """Lower bound of the chosen rate. If the largest feasible rate is smaller, this bound is the rate, and
    constraints are violated at the price `penalty`."""
    penalty: float = Field(1000.0, gt=0, allow_inf_nan=False)
    """V, the price per unit of constraint violation."""

    @model_validator(mode="after")
    def _check_sampling(self) -> "M4ConditionSettings":
        if not math.isfinite(self.max_weight):
            raise ValueError(
                f"max_weight is {self.max_weight}: a condition samples, which needs a finite one"
            )
        if self.min_rate > self.max_weight:
            raise ValueError(f"min_rate is {self.min_rate}: expected a number in [0, max_weight]")
        return self


class ShareConditionSettings(ConditionSettings):
    """Settings of a condition with a share."""

    share: float = Field(gt=0, le=1)
    """Share of the examples to keep (quality), or of those with humans to drop (drop_human)."""


CONDITION_SETTINGS: dict[str, type[ConditionSettings]] = {
    "all": ConditionSettings,
    "m4": M4ConditionSettings,
    "quality": ShareConditionSettings,
    "drop_human": ShareConditionSettings,
    "neutralise": ConditionSettings,
}


def parse_condition(kind: str, values: Mapping) -> ConditionSettings:
    """Parse the settings of a condition of ``kind`` from plain values; missing ones get their defaults.

    Raises
    ------
    UserError
        If the kind or a setting is unknown, a setting missing, or a value of the wrong type or out of range.
    """
    return parse_settings_of(CONDITION_SETTINGS, kind, values, what="kind of condition")
