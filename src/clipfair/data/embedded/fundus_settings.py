"""Settings of the fundus images: shares of the groups, rates of glaucoma, images and notes by group."""

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from clipfair.core.settings import SettingsModel
from clipfair.data.embedded.common_settings import Count, Share, check_known

# The codes of the npz files.
FUNDUS_CODES: dict[str, dict[str, int]] = {
    "race": {"asian": 0, "black": 1, "white": 2},
    "gender": {"female": 0, "male": 1},
    "ethnicity": {"non-hispanic": 0, "hispanic": 1, "unknown": -1},
    "language": {"english": 0, "spanish": 1, "other": 2, "unknown": -1},
    "maritalstatus": {
        "married or partnered": 0,
        "single": 1,
        "divorced": 2,
        "widowed": 3,
        "legally separated": 4,
        "unknown": -1,
    },
}
# The attributes whose shares are settings.
FUNDUS_ATTRIBUTES = ("race", "gender", "ethnicity", "language")
# Cup-to-disc ratios beyond are set to the nearer end.
CUP_RANGE = (0.15, 0.95)

Shares = Mapping[str, Share]
# Rates have log-odds.
Rate = Annotated[float, Field(gt=0, lt=1)]
# The background has a brightness of 0.30 to 0.40.
BackgroundShift = Annotated[float, Field(ge=-0.2, le=0.2)]


class FundusSettings(SettingsModel):
    """Fundus images with notes, glaucoma and four attributes.

    The shares of the attributes and the rates of glaucoma are those published for
    Harvard-FairVLMed (its data_summary.csv: 10,000 people; rates of its training split). Attributes
    are drawn independently of each other.
    """

    size: Count = 64
    train: Count = 2_100
    """Number of people; the published dataset has 7,000."""
    validation: Count = 300
    """Number of people; the published dataset has 1,000."""
    test: Count = 600
    """Number of people; the published dataset has 2,000."""
    race: Shares = Field(default={"asian": 0.0819, "black": 0.1491, "white": 0.7690})
    gender: Shares = Field(default={"female": 0.5631, "male": 0.4369})
    ethnicity: Shares = Field(default={"non-hispanic": 0.9062, "hispanic": 0.0398, "unknown": 0.0540})
    language: Shares = Field(
        default={"english": 0.9250, "spanish": 0.0176, "other": 0.0076, "unknown": 0.0498}
    )
    unknown_language_as_other: Share = 0.87
    """Share of unknown languages that the npz files code as other (2) instead of unknown (-1): inferred for
    the published files."""
    glaucoma_rate: Rate = 0.505
    """Rate of glaucoma for a person none of whose groups has its own rate."""
    glaucoma_rates: Mapping[str, Rate] = Field(
        default={
            "race=asian": 0.479,
            "race=black": 0.651,
            "race=white": 0.480,
            "gender=female": 0.492,
            "gender=male": 0.522,
            "ethnicity=hispanic": 0.552,
            "language=english": 0.499,
            "language=spanish": 0.675,
            "language=unknown": 0.722,
        }
    )
    """Rates of glaucoma by group. A person's log-odds are those of ``glaucoma_rate`` plus, for each
    attribute, the difference between the log-odds of their group's rate and those of ``glaucoma_rate``; 0 for
    a group without a rate."""
    cup_healthy: Share = 0.45
    """Mean of the vertical cup-to-disc ratio without glaucoma."""
    cup_glaucoma: Share = 0.63
    """Mean of the vertical cup-to-disc ratio with glaucoma."""
    cup_spread: Share = 0.10
    """Standard deviation of the vertical cup-to-disc ratio."""
    noise: Shares = Field(default={"asian": 0.10, "black": 0.30, "white": 0.10})
    """Standard deviation of the image's noise, by race: image quality depends on the group."""
    cup_shift: Mapping[str, float] = {}
    """Shift of the mean cup-to-disc ratio, with and without glaucoma, by race; 0 for a race without a
    value."""
    background_shift: Mapping[str, BackgroundShift] = {}
    """Shift of the brightness of the background, by race; 0 for a race without a value. It makes race visible
    in the image; given race, it is not informative about glaucoma."""
    findings: Shares = Field(default={"english": 0.9, "spanish": 0.6, "other": 0.6, "unknown": 0.8})
    """Share of notes that contain the findings, by language: the style of notes depends on the group."""
    diagnosis: Share = 0.9
    """Share of notes that name the diagnosis."""

    @model_validator(mode="after")
    def _check_groups(self) -> "FundusSettings":
        for name in FUNDUS_ATTRIBUTES:
            shares: Mapping[str, float] = getattr(self, name)
            check_known(f"group of {name}", shares, FUNDUS_CODES[name])
            if not math.isclose(sum(shares.values()), 1, abs_tol=1e-9):
                raise ValueError(f"the shares of {name} sum to {sum(shares.values())}; expected 1")
        groups = {f"{name}={group}" for name in FUNDUS_ATTRIBUTES for group in FUNDUS_CODES[name]}
        check_known("group of glaucoma_rates", self.glaucoma_rates, groups)
        for name, attribute in (("noise", "race"), ("findings", "language")):
            lacking = set(getattr(self, attribute)) - set(getattr(self, name))
            if lacking:
                raise ValueError(f"{name} lacks the {attribute} group {', '.join(sorted(lacking))}")
        for name in ("cup_shift", "background_shift"):
            check_known(f"group of {name}", getattr(self, name), FUNDUS_CODES["race"])
        return self

    @model_validator(mode="after")
    def _check_cups(self) -> "FundusSettings":
        for group, shift in self.cup_shift.items():
            for mean in (self.cup_healthy + shift, self.cup_glaucoma + shift):
                if not CUP_RANGE[0] <= mean <= CUP_RANGE[1]:
                    low, high = CUP_RANGE
                    raise ValueError(
                        f"cup_shift of {group}: the mean is {mean:.3f}; expected {low} to {high}"
                    )
        return self
