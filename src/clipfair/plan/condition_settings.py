"""The settings of each kind of condition: one model for the configuration and the job that balances.

The kinds are

- ``all``: every example (the baseline).
- ``m4``: balanced by M4 (section 5).
- ``quality``: the ``share`` with the highest image-text similarity over all shards (section 4.4).
- ``drop_human``: a ``share`` of the examples with humans is dropped at random, all others stay (appendix
  A.6). With one seed, a smaller share drops a subset of those of a larger one.
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
    """The settings of every condition: the biases that its audit measures (and M4 removes)."""

    sensitive: Sequence[str] = Field(("gender",), min_length=1)
    """Attributes whose groups are compared, and balanced by M4."""
    labels: Labels = ("occupation", "proxy")
    """Attributes that the sensitive ones should not be associated with; or, by sensitive attribute, those
    of each. A sensitive attribute may be a label of another one (appendix A.2.3: age for gender)."""
    target: TargetRule | Mapping[str, Annotated[float, Field(ge=0, le=1)]] = "data"
    """Proportions of the groups: those of the data; uniform or median, over the groups of one attribute in
    one modality; or shares by group (gender=male in every modality, or text.gender=male), and those of the
    data for the other groups."""

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
    """Balanced by M4 (section 5): no representation bias, no association bias.

    At the largest feasible rate some multipliers are large, and so must the penalty be: 10 leaves
    violations of 1e-5 there on the captions of Flickr30k, 1000 none.
    """

    sensitive: Sequence[str] = Field(min_length=1)
    """Attributes whose groups are balanced."""
    labels: Labels
    """Attributes that become independent of the sensitive ones; or, by sensitive attribute, those of each."""
    min_rate: float = Field(0.0, ge=0)
    """The least that rate max may come to. Where the constraints allow less, this is the rate, and
    constraints are violated at the price of penalty."""
    penalty: float = Field(1000.0, gt=0, allow_inf_nan=False)
    """V, the price of one unit of violation of a constraint."""

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
    """A condition with one number."""

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
    """The settings of a condition of ``kind`` from plain values; what is not named has its default.

    Raises
    ------
    UserError
        If the kind or a setting is unknown, a setting missing, or a value of the wrong type or out of range.
    """
    return parse_settings_of(CONDITION_SETTINGS, kind, values, what="kind of condition")
