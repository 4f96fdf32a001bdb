"""Captions: the content of an image, the part of it that a caption mentions, and the wording."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipfair.data.embedded.common_settings import MentionSettings

NOUNS = {"man": ("man", "man", "gentleman"), "woman": ("woman", "woman", "lady")}
ADJECTIVES = {"man": "male", "woman": "female"}
PLACES = {
    "beach": "on a beach",
    "field": "in a field",
    "forest": "in a forest",
    "kitchen": "in a kitchen",
    "night": "at night",
    "office": "in an office",
    "snow": "in the snow",
    "street": "on a street",
}
OPENINGS = ("", "", "", "a photo of ", "a picture of ", "an image of ")
TEXTURE_NOUNS = ("texture", "pattern", "surface")
WITHOUT_ARTICLE = ("flour", "tools")


@dataclass(frozen=True)
class Content:
    """The content of an image, or the part of it that a caption mentions; None or empty for what is absent.

    Attributes
    ----------
    person : a person is visible.
    gender : man or woman; without a visible person, that of the owner of the object or uniform, whom a
        caption that mentions it describes as a person.
    occupation : of the person; without a gender, the occupation that the object or uniform belongs to.
    colours : of the texture.
    """

    person: bool = False
    gender: str | None = None
    occupation: str | None = None
    proxies: tuple[str, ...] = ()
    object: str | None = None
    texture: str | None = None
    colours: tuple[str, ...] = ()
    background: str | None = None


def choose_mentions(shown: Content, mentions: MentionSettings, rng: np.random.Generator) -> Content:
    """Draw what a caption mentions of ``shown``: always its subject (person, owner, sole object, texture)."""

    def happens(share: float) -> bool:
        return rng.random() < share

    gender = shown.gender if happens(mentions.gender) else None
    # Without a person or an owner in the caption, the object is its subject.
    subject = not shown.person and gender is None
    with_object = subject or happens(mentions.object if shown.person else mentions.owned)
    return replace(
        shown,
        gender=gender,
        occupation=shown.occupation if happens(mentions.occupation) else None,
        proxies=tuple(proxy for proxy in shown.proxies if happens(mentions.proxy)),
        object=shown.object if with_object else None,
        colours=shown.colours if happens(mentions.colours) else (),
        background=shown.background if happens(mentions.background) else None,
    )


def write_caption(content: Content, rng: np.random.Generator) -> str:
    """A caption that mentions exactly ``content``, in one of several wordings."""
    return f"{_choose(rng, OPENINGS)}{_subject(content, rng)}{_companions(content, rng)}{_place(content)}"


def with_article(noun: str) -> str:
    """``noun`` with a or an; substances and plurals as they are."""
    if noun in WITHOUT_ARTICLE:
        return noun
    # The first sound of uniform is a consonant.
    return f"{'an' if noun[0] in 'aeiou' and not noun.startswith('uni') else 'a'} {noun}"


def _subject(content: Content, rng: np.random.Generator) -> str:
    if content.person or content.gender:
        return _person(content, rng)
    if content.texture:
        words = (content.texture, *([" and ".join(content.colours)] if content.colours else []))
        return f"{with_article(' '.join(words))} {_choose(rng, TEXTURE_NOUNS)}"
    thing = content.object or "uniform"
    if content.occupation:
        return f"the {thing} of {with_article(content.occupation)}"
    return with_article(thing)


def _person(content: Content, rng: np.random.Generator) -> str:
    noun = _choose(rng, NOUNS[content.gender] if content.gender else ("person", "person", "someone"))
    named = noun if noun == "someone" else with_article(noun)
    if content.occupation is None:
        return named
    if content.gender is None:
        return with_article(content.occupation)
    wordings = (
        f"a {ADJECTIVES[content.gender]} {content.occupation}",
        f"{named} working as {with_article(content.occupation)}",
        f"{with_article(content.occupation)}, {named}",
    )
    return _choose(rng, wordings)


def _companions(content: Content, rng: np.random.Generator) -> str:
    companions = list(content.proxies)
    if content.object and (content.person or content.gender):
        companions.append(content.object)
    if not companions:
        return ""
    things = [with_article(thing) for thing in companions]
    listed = things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"
    return f"{_choose(rng, (' with ', ' with ', ' next to '))}{listed}"


def _place(content: Content) -> str:
    return f" {PLACES[content.background]}" if content.background else ""


def _choose(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[rng.integers(len(options))]
