"""Captions: a caption has exactly the content that it should mention."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipfair.data.embedded.common_settings import MentionSettings
from clipfair.data.embedded.draw import COLOURS
from clipfair.data.embedded.glyphs import OBJECTS, PROXIES, UNIFORMS
from clipfair.data.embedded.grammar import PLACES, Content, choose_mentions, with_article, write_caption
from clipfair.data.embedded.scenery import BACKGROUNDS, TEXTURES

GENDER_WORDS = {"man": {"man", "gentleman", "male"}, "woman": {"woman", "lady", "female"}}


def maybe(names):
    return st.sampled_from([None, *names])


persons = st.builds(
    Content,
    person=st.just(True),
    gender=maybe(["man", "woman"]),
    occupation=maybe(UNIFORMS),
    proxies=st.lists(st.sampled_from(list(PROXIES)), unique=True, max_size=3).map(tuple),
    object=maybe(OBJECTS),
    background=maybe(BACKGROUNDS),
)
things = st.builds(
    Content,
    object=maybe(OBJECTS),
    gender=maybe(["man", "woman"]),
    occupation=maybe(UNIFORMS),
    background=maybe(BACKGROUNDS),
)
textures = st.builds(
    Content,
    texture=st.sampled_from(list(TEXTURES)),
    colours=st.lists(st.sampled_from(list(COLOURS)), unique=True, max_size=2).map(tuple),
)
seeds = st.integers(0, 2**32)
EVERYTHING, NOTHING = (
    MentionSettings(**dict.fromkeys(MentionSettings.model_fields, share)) for share in (1, 0)
)


def content_of(caption):
    """Gender, occupation, proxies, object, texture, colours and background that a reader finds."""
    words = set(re.findall("[a-z]+", caption))

    def among(names):
        return {name for name in names if re.search(rf"\b{name}\b", caption)}

    genders = {gender for gender, known in GENDER_WORDS.items() if words & known}
    places = {name for name, place in PLACES.items() if caption.endswith(f" {place}")}
    return genders, among(UNIFORMS), among(PROXIES), among(OBJECTS), among(TEXTURES), among(COLOURS), places


@given(st.one_of(persons, things, textures), seeds)
def test_a_caption_has_exactly_its_content(content, seed):
    def one(name):
        return {name} - {None}

    caption = write_caption(content, np.random.default_rng(seed))
    assert content_of(caption) == (
        one(content.gender),
        one(content.occupation),
        set(content.proxies),
        one(content.object),
        one(content.texture),
        set(content.colours),
        one(content.background),
    )
    assert not re.search(r"  |^ | $|\ba (?!uni)[aeiou]|\ban [^aeiou]", caption)


@given(persons, seeds)
def test_all_or_nothing_is_mentioned_at_the_ends(content, seed):
    rng = np.random.default_rng(seed)
    assert choose_mentions(content, EVERYTHING, rng) == content
    assert choose_mentions(content, NOTHING, rng) == Content(person=True)


def test_the_sole_object_is_always_mentioned():
    content = Content(object="key", background="snow")
    mentioned = choose_mentions(
        content, MentionSettings(**dict.fromkeys(MentionSettings.model_fields, 0)), np.random.default_rng(0)
    )
    assert mentioned == Content(object="key")


def test_an_owner_may_be_mentioned_instead_of_the_object():
    content = Content(object="key", gender="man")
    rng = np.random.default_rng(0)
    assert choose_mentions(content, MentionSettings(gender=1, owned=0), rng) == Content(gender="man")
    assert choose_mentions(content, MentionSettings(gender=1, owned=1), rng) == content
    assert choose_mentions(content, MentionSettings(gender=0, owned=0), rng) == Content(object="key")


def test_mentions_are_as_often_as_set():
    rng = np.random.default_rng(3)
    content = Content(person=True, gender="woman", occupation="nurse")
    mentioned = [
        choose_mentions(content, MentionSettings(gender=0.3, occupation=0.8), rng) for _ in range(4000)
    ]
    # Five standard errors of a share among 4,000.
    assert np.mean([s.gender == "woman" for s in mentioned]) == pytest.approx(0.3, abs=0.037)
    assert np.mean([s.occupation == "nurse" for s in mentioned]) == pytest.approx(0.8, abs=0.032)


@pytest.mark.parametrize(
    ("noun", "phrase"), [("apple", "an apple"), ("nurse", "a nurse"), ("tools", "tools"), ("flour", "flour")]
)
def test_articles(noun, phrase):
    assert with_article(noun) == phrase
