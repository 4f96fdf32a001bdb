"""Attributes of captions: every form is found, whole words only."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipfair.annotate.text import annotate_captions
from clipfair.annotate.vocabulary import load_vocabulary

FOLDER = Path(__file__).parents[3] / "resources/vocabulary"
NAMES = ("gender", "occupations", "proxies", "humans", "objects")
VOCABULARIES = {name: load_vocabulary(FOLDER / f"{name}.yaml") for name in NAMES}
FORMS = [(name, phrase, value) for name in NAMES for phrase, value in VOCABULARIES[name].phrases.items()]


def mentions(caption, *names):
    """The columns that are true for one caption."""
    found = annotate_captions([caption], *(VOCABULARIES[name] for name in names or NAMES)).iloc[0]
    return set(found.index[found])


@pytest.mark.parametrize("name", NAMES)
def test_every_form_is_found_in_every_spelling(name):
    vocabulary = VOCABULARIES[name]
    forms = [(" ".join(phrase), value) for phrase, value in vocabulary.phrases.items()]
    for dress in (
        "{}",
        "({}), so",
        "\u201c{}\u201d",
        "#{}!",
        "{}'s",
        "{}\u2019s",
        "x_{}_x",
        "\U0001f600{}\U0001f600",
    ):
        for change in (str, str.upper, str.title):
            texts = [dress.format(change(form)) for form, _ in forms]
            found = annotate_captions(texts, vocabulary).to_numpy()
            for row, (form, value) in zip(found, forms, strict=True):
                expected = [] if value is None else [value]
                assert list(row.nonzero()[0]) == expected, (dress, form)


# Unicode classifies the modifier letter apostrophe as a letter; texts use it as an apostrophe.
LETTERS = st.text(st.characters(categories=["L", "Nd"], exclude_characters="\u02bc"), min_size=1, max_size=3)


@settings(deadline=None)
@given(form=st.sampled_from(FORMS), letters=LETTERS, before=st.booleans())
def test_letters_around_a_form_never_match(form, letters, before):
    """A form with adjacent letters is found only if the whole is another form (s + he, nurse + s)."""
    name, phrase, _ = form
    text = " ".join(phrase)
    changed = letters + text if before else text + letters
    if not any(_stands_in(known, changed) for known in VOCABULARIES[name].phrases):
        assert not annotate_captions([changed], VOCABULARIES[name]).to_numpy().any()


def _stands_in(phrase, text):
    """True if a phrase's words are in a text split at everything but letters, digits and hyphens."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    whole = "".join(sign if sign.isalnum() or sign == "-" else " " for sign in folded)
    return any(
        f" {' '.join(phrase)} " in f" {' '.join(cut.split())} " for cut in (whole, whole.replace("-", " "))
    )


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A policewoman talks to two firemen.", {"gender=woman", "gender=man", "occupation=police officer",
                                                 "occupation=firefighter"}),
        ("A police woman.", {"gender=woman", "occupation=police officer"}),
        ("THE WAITRESS\u2019S tray", {"gender=woman", "occupation=waiter", "proxy=tray"}),
        ("a well-dressed-woman, 30", {"gender=woman"}),
        ("a man-made lake", set()),
        ("a man made a lake", {"gender=man"}),
        ("vacuum cleaners", {"proxy=vacuum"}),
        ("a cleaner", {"occupation=cleaner"}),
        ("flight-attendants", {"occupation=flight attendant"}),
        ("a flight. Attendants wait", {"occupation=attendant"}),
        ("human, mankind, women-only? manhole", {"gender=woman"}),
        ("snowman spiderman mannequin Germany", set()),
        ("people watch a game", set()),
        ("he looks at his watch", {"gender=man", "proxy=watch"}),
        ("her fianc\u00e9", {"gender=woman", "gender=man"}),
        ("h\u00e9 h\u00e8r m\u00e1n", set()),
        ("Her credit-card", {"gender=woman", "proxy=credit card"}),
        ("a 2-year-old boy", {"gender=man"}),
        ("\u5973\u4eba woman\u3002", {"gender=woman"}),
        ("\uff37\uff4f\uff4d\uff45\uff4e", {"gender=woman"}),
        ("share a moment in a lesson", set()),
        ("", set()),
    ],
)  # fmt: skip
def test_captions(caption, expected):
    assert mentions(caption, "gender", "occupations", "proxies") == expected


def test_the_papers_own_examples():
    """Table 4's four captions, and Table 7's two that only a search inside words can have found."""
    assert mentions("female judge sentencing", "gender", "occupations") == {
        "gender=woman",
        "occupation=judge",
    }
    assert mentions("archery bow and arrow aim", "gender", "occupations") == set()
    doctor = "a male doctor wearing a green scrub sits on a couch and is falling asleep"
    assert mentions(doctor, "gender", "occupations") == {"gender=man", "occupation=physician"}
    assert mentions("photo of man surfing during daytime", "gender", "occupations") == {"gender=man"}
    humans = VOCABULARIES["humans"]
    moment = ["A dog and a cat share a moment"]
    assert not annotate_captions(moment, humans).to_numpy().any()
    lesson = ["Mom gives her daughter a lesson in using her baseball glove."]
    assert not annotate_captions(lesson, humans)["human=son"].any()


def test_no_captions_give_no_rows():
    assert annotate_captions([], *VOCABULARIES.values()).shape == (0, 2 + 60 + 42 + 24 + 80)
