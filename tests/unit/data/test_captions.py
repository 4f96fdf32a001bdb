"""Truncated captions, and captions processed as by LAVIS."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipfair.data.captions import blip_caption, truncate


@pytest.mark.parametrize(
    ("text", "max_characters", "expected"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two"),
        ("one two three", 8, "one two"),
        ("one two three", 7, "one"),
        ("one two three", 2, ""),
    ],
)
def test_a_text_is_truncated_at_the_last_space(text, max_characters, expected):
    assert truncate(text, max_characters) == expected


def released_truncate(note, max_length):
    """An independent implementation of the published helper."""
    if len(note) > max_length and note[max_length - 1] != " ":
        return " ".join(note[:max_length].split(" ")[:-1])
    return note[:max_length]


@given(st.text("ab ", min_size=1, max_size=40), st.integers(1, 40))
def test_truncation_equals_the_released_one_up_to_blanks_at_the_end(text, max_characters):
    found = truncate(text, max_characters)
    assert found.rstrip() == released_truncate(text, max_characters).rstrip()
    assert text.startswith(found)
    assert len(found) <= max_characters


def released_processor(text, max_words):
    """An independent implementation of the published processor, for texts without line breaks."""
    text = re.sub("[" + re.escape('.!"()*#:;~') + "]", " ", text.lower())
    return " ".join(re.sub(" +", " ", text).strip().split(" ")[:max_words])


@given(st.text('aB -,.!"()*#:;~', max_size=40), st.integers(1, 8))
def test_a_caption_is_processed_as_by_lavis(text, max_words):
    assert blip_caption(text, max_words) == released_processor(text, max_words)


def test_a_processed_note_has_at_most_50_words():
    note = "IOP (right): 14. " * 40
    assert blip_caption(note, 50).split() == ["iop", "right", "14"] * 16 + ["iop", "right"]
