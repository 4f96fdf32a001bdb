"""Settings shared by several parts of the synthetic world: appearance of people, content of captions."""

from collections.abc import Collection, Iterable
from typing import Annotated

from pydantic import Field

from clipfair.core.errors import unknown
from clipfair.core.settings import SettingsModel

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class LookSettings(SettingsModel):
    """Frequencies of gendered features in the appearance of people; shares in [0, 1]."""

    long_hair_women: Share = 0.95
    long_hair_men: Share = 0.05
    beard_men: Share = 0.6
    red_lips_women: Share = 0.9


class MentionSettings(SettingsModel):
    """Frequencies with which a caption mentions the content of its image; shares in [0, 1]."""

    gender: Share = 0.55
    occupation: Share = 0.85
    proxy: Share = 0.7
    object: Share = 0.95
    """An object next to a person."""
    owned: Share = 0.5
    """An object whose owner is the caption's subject."""
    background: Share = 0.5
    colours: Share = 0.5


def check_known(what: str, names: Iterable[str], known: Collection[str]) -> None:
    """Raise a ``ValueError`` on the first name that is not known."""
    for name in names:
        if name not in known:
            raise ValueError(unknown(what, name, known))
