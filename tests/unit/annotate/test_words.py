"""The definition of a word, and pieces that join to the text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipfair.annotate.words import normalise, split_hyphens, split_words, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A man's dog", ["a", "man", "s", "dog"]),
        ("a man\u2019s dog", ["a", "man", "s", "dog"]),
        ("a man\u02bcs dog", ["a", "man", "s", "dog"]),
        ("woman_in_red.jpg", ["woman", "in", "red", ".", "jpg"]),
        ("well-dressed woman", ["well-dressed", "woman"]),
        ("well\u2011dressed", ["well-dressed"]),
        ("man \u2013 woman", ["man", "\u2013", "woman"]),
        ("flight--attendant", ["flight", "-", "-", "attendant"]),
        ("STRASSE Stra\u00dfe", ["strasse", "strasse"]),
        ("fianc\u00e9 fiance\u0301", ["fianc\u00e9", "fianc\u00e9"]),
        ("\uff37\uff4f\uff4d\uff41\uff4e", ["woman"]),
        ("\ufb01reman", ["fireman"]),
        ("wo\u00adman wo\u200dman", ["woman", "woman"]),
        ("woman\U0001f469\U0001f3fdwoman", ["woman", "\U0001f469", "\U0001f3fd", "woman"]),
        ("man2 2man", ["man2", "2man"]),
        ("", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@settings(deadline=None)
@given(st.text())
def test_joined_pieces_are_the_text(text):
    pieces = split_words(text)
    assert "".join(pieces) == text
    assert [normalise(word) for word in pieces[1::2]] == words(text)
    for word in pieces[1::2]:
        assert "".join(split_hyphens(word)) == word


@settings(deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_text_has_the_same_words_next_to_other_letters(text):
    assert words(text + " \u00e9") == [*words(text), "\u00e9"]
