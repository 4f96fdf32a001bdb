"""Settings of the pretraining pairs: the rates of occupations and proxies by gender, and all other shares."""

from collections.abc import Mapping

from pydantic import Field, model_validator

from clipfair.core.settings import SettingsModel
from clipfair.data.embedded import glyphs
from clipfair.data.embedded.common_settings import Count, LookSettings, MentionSettings, Share, check_known


class Rates(SettingsModel):
    """The share of men, and of women, who have an occupation or a proxy."""

    men: Share
    women: Share


class Proxy(SettingsModel):
    """Frequencies of a proxy next to a person."""

    occupation: str
    with_occupation: Share
    """Its share among people of the occupation, whatever their gender."""
    men: Share
    """Its share among all other men."""
    women: Share
    """Its share among all other women."""


class AnnotatorErrors(SettingsModel):
    """Errors of a simulated annotator."""

    missed: Share
    """Share of the true attributes that it misses."""
    invented: Share
    """Share of the absent attributes that it reports."""


# Shares of men and women.
_OCCUPATIONS = {
    "baker": (0.015, 0.050),
    "carpenter": (0.060, 0.005),
    "construction worker": (0.060, 0.005),
    "cook": (0.040, 0.020),
    "farmer": (0.060, 0.010),
    "hairdresser": (0.010, 0.075),
    "lawyer": (0.050, 0.020),
    "librarian": (0.010, 0.060),
    "mechanic": (0.065, 0.005),
    "nurse": (0.005, 0.090),
    "secretary": (0.005, 0.075),
    "teacher": (0.020, 0.070),
}

# Occupation, share with the occupation, shares of other men and women.
_PROXIES = {
    "board": ("teacher", 0.6, 0.02, 0.05),
    "book": ("librarian", 0.6, 0.03, 0.07),
    "briefcase": ("lawyer", 0.6, 0.06, 0.02),
    "comb": ("hairdresser", 0.6, 0.01, 0.05),
    "computer": ("secretary", 0.6, 0.04, 0.04),
    "flour": ("baker", 0.6, 0.01, 0.04),
    "helmet": ("construction worker", 0.6, 0.06, 0.01),
    "tools": ("mechanic", 0.6, 0.07, 0.01),
}


def _default_occupations() -> dict[str, Rates]:
    return {name: Rates(men=men, women=women) for name, (men, women) in _OCCUPATIONS.items()}


def _default_proxies() -> dict[str, Proxy]:
    names = ("occupation", "with_occupation", "men", "women")
    return {name: Proxy(**dict(zip(names, values, strict=True))) for name, values in _PROXIES.items()}


class WebSettings(SettingsModel):
    """Pretraining pairs of images and captions; shares in [0, 1]."""

    size: Count = 32
    """Pixels to a side."""
    pairs: Count = 24_000
    """Number of pairs."""
    shard_size: Count = 4_000
    """Pairs in a shard."""
    share_people: float = Field(0.55, ge=0.4, le=1)
    """Share of images with a person."""
    share_men: Share = 0.65
    """Share of men among people; the others are women."""
    owned: Share = 0.3
    """Share of images without people whose object or uniform belongs to somebody, who is only mentioned in
    the caption."""
    share_men_owners: Share = 0.85
    """Share of men among these owners. If it is above the share among people, a model learns to associate
    men with images without a person: representation bias."""
    association: Share = 1.0
    """Strength of the association: 0 for no difference between men and women in occupations and proxies, 1
    for the rates in ``occupations`` and ``proxies``. Their overall frequencies stay the same."""
    frequency: Share = 1.0
    """A factor of all rates in ``occupations`` and ``proxies``; the ratios between men and women stay. The
    rarer they are, the fewer examples must be dropped to remove the association."""
    ungendered: Share = 1.0
    """Frequency of an occupation or proxy in images with neither person nor owner, as a multiple of its
    frequency in the others. At 0, only dropping all of them could make them independent of both men and
    women."""
    uniform_shown: Share = 0.6
    """Share of occupations that are visible as a uniform, worn or hung up. The others are only in the
    caption; to match it to a person a model can only use gender and proxies."""
    close_up: Share = 0.3
    """Share of people without a uniform whose face alone is shown, large."""
    object_beside: Share = 0.2
    """Share of people with an object next to them."""
    share_textures: Share = 0.4
    """Share of textures among images with neither person, owner nor occupation; the others of these show an
    object."""
    mismatched: Share = 0.03
    """Share of pairs whose caption belongs to another image."""
    noise: Share = 0.03
    """Standard deviation of the noise of a pixel in [0, 1]."""
    occupations: Mapping[str, Rates] = Field(default_factory=_default_occupations)
    """Rates by occupation; only those of ``glyphs`` can be drawn."""
    proxies: Mapping[str, Proxy] = Field(default_factory=_default_proxies)
    """Rates by proxy; only those of ``glyphs`` can be drawn."""
    mentions: MentionSettings = MentionSettings()
    look: LookSettings = LookSettings()
    image_errors: AnnotatorErrors = AnnotatorErrors(missed=0.10, invented=0.005)
    """Errors of the simulated annotator of images."""
    text_errors: AnnotatorErrors = AnnotatorErrors(missed=0.02, invented=0.001)
    """Errors of the simulated annotator of captions."""

    @model_validator(mode="after")
    def _check_names_and_sums(self) -> "WebSettings":
        check_known("occupation", self.occupations, glyphs.UNIFORMS)
        check_known("proxy", self.proxies, glyphs.PROXIES)
        of_proxies = [proxy.occupation for proxy in self.proxies.values()]
        check_known("occupation of a proxy", of_proxies, self.occupations)
        for gender in ("men", "women"):
            total = sum(getattr(rates, gender) for rates in self.occupations.values())
            if total > 1:
                raise ValueError(
                    f"the shares of {gender} in occupations sum to {total:.3f}; expected at most 1"
                )
        return self
