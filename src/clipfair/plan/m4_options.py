"""Settings of M4 shared by conditions and the mitigation of Table 5."""

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from clipfair.core.settings import SettingsModel


class M4Options(SettingsModel):
    """Section 5 of *CLIP the Bias*; :class:`clipfair.m4.M4Settings` takes the same names."""

    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["max"] = "max"
    """eta, the mean weight; max: the largest value at which all constraints hold, the choice of the paper."""
    max_weight: float = Field(1.0, gt=0)
    """Q, the largest weight."""
    penalty: float = Field(10.0, gt=0, allow_inf_nan=False)
    """V, the price per unit of constraint violation."""
    eps_association: float = Field(0.0, ge=0, lt=1)
    """eps_D, tolerance of the association constraints."""
    eps_representation: float = Field(0.0, ge=0, lt=1)
    """eps_R, tolerance of the representation constraints."""
    eps_reading: Literal["normalised", "literal"] = "normalised"
    """normalised: tolerances relative to eta, as in Algorithm 2; literal: as printed in eq. (3)."""

    @property
    def limits(self) -> dict[str, float | str]:
        """The settings on which the largest rate depends."""
        names = ("max_weight", "eps_association", "eps_representation", "eps_reading")
        return {name: getattr(self, name) for name in names}

    @model_validator(mode="after")
    def _check_rate(self) -> "M4Options":
        if self.rate == "max":
            if not math.isfinite(self.max_weight):
                raise ValueError("rate max needs a finite max_weight: without one the rate has no maximum")
        elif self.rate > self.max_weight:
            raise ValueError(f"max_weight (Q) is {self.max_weight}, below the rate (eta) {self.rate}")
        return self
