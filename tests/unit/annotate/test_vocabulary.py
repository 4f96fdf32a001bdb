"""Vocabulary files: the notation, our own files, and invalid files."""

import itertools
import re
from pathlib import Path

import pytest
import yaml

from clipfair.annotate.vocabulary import expand, load_vocabulary
from clipfair.annotate.words import words
from clipfair.core.errors import UserError

FOLDER = Path(__file__).parents[3] / "resources/vocabulary"
VALUES = {
    "cleaner": {"source": "here", "forms": ["cleaner(s)"], "not": ["vacuum cleaner(s)"]},
    "crew": {"source": "here", "forms": ["(cabin|flight) crew", "crew"]},
}
FILE = {"attribute": "job", "about": "A test.", "sources": {"here": "Nobody"}, "values": VALUES}


@pytest.fixture
def load(tmp_path):
    """Returns a function that loads a vocabulary with some keys changed."""

    def load_changed(**changes):
        path = tmp_path / "jobs.yaml"
        path.write_text(yaml.safe_dump({**FILE, **changes}), encoding="utf-8")
        return load_vocabulary(path)

    return load_changed


def test_expand_returns_every_choice():
    assert expand("a (b|c) d(e)", where="") == ["a b d", "a b de", "a c d", "a c de"]
    assert expand("(|grand)son(s)", where="") == ["son", "sons", "grandson", "grandsons"]


@pytest.mark.parametrize(
    "pattern",
    ["wom(an", "woman)", "((a|b)c)", "wom[ae]n", "a  b", "-man", "man ", "()", "a|b", "man's'", "."],
)
def test_broken_pattern_is_named(load, pattern):
    values = {"cleaner": {"source": "here", "forms": [pattern]}}
    with pytest.raises(UserError, match=f"cleaner: invalid pattern {re.escape(repr(pattern))}"):
        load(values=values)


def test_rightmost_longest_without_overlap(load):
    found = load().find(words("flight crew crew vacuum cleaner cleaners flight"))
    assert list(found) == [(5, 6, 0), (2, 3, 1), (0, 2, 1)]


def test_phrase_cut_off_by_the_start_is_not_found(load):
    vocabulary = load(values={"crew": {"source": "here", "forms": ["cabin flight crew", "crew"]}})
    assert list(vocabulary.find(["crew", "flight"])) == [(0, 1, 0)]


def test_columns_name_attribute_and_value(load):
    assert load().columns == ["job=cleaner", "job=crew"]


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"extra": 1}, "unknown setting 'extra'"),
        ({"values": {}}, "values"),
        ({"values": {"crew": {"source": "here", "forms": ["crew"], "nots": []}}}, "unknown setting 'nots'"),
        ({"values": {"crew": {"source": "here"}}}, "missing setting 'forms'"),
        ({"values": {"crew": {"source": "there", "forms": ["crew"]}}}, "unknown source 'there'; known: here"),
        (
            {"values": {**VALUES, "staff": {"source": "here", "forms": ["Crew"]}}},
            "'Crew' is listed under 'crew' and under 'staff'",
        ),
        (
            {"values": {"crew": {"source": "here", "forms": ["crew", "crew"]}}},
            "under 'crew'; remove one",
        ),
    ],
)
def test_bad_file_is_one_line(load, changes, fragment):
    with pytest.raises(UserError, match=re.escape(fragment)) as error:
        load(**changes)
    assert "\n" not in str(error.value)


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_vocabulary(tmp_path / "none.yaml")
    path = tmp_path / "broken.yaml"
    path.write_text("values: [", encoding="utf-8")
    with pytest.raises(UserError, match="not valid YAML"):
        load_vocabulary(path)
    path.write_text("attribute: a\nattribute: b\n", encoding="utf-8")
    with pytest.raises(UserError, match="key 'attribute' is there twice"):
        load_vocabulary(path)


@pytest.mark.parametrize(
    ("name", "attribute", "values"),
    [
        ("gender", "gender", 2),
        ("occupations", "occupation", 60),
        ("proxies", "proxy", 42),
        ("humans", "human", 24),
        ("objects", "object", 80),
    ],
)
def test_our_files_load(name, attribute, values):
    vocabulary = load_vocabulary(FOLDER / f"{name}.yaml")
    assert vocabulary.attribute == attribute
    assert len(vocabulary.values) == values


def test_every_value_is_found_by_its_own_name():
    # "Orange" is usually a colour, and "mouse" an animal: these objects need another word.
    ambiguous = ("orange", "mouse")
    for name in ("occupations", "proxies", "humans", "gender", "objects"):
        vocabulary = load_vocabulary(FOLDER / f"{name}.yaml")
        for index, value in enumerate(vocabulary.values):
            found = [found for *_, found in vocabulary.find(["a", *words(value)])]
            assert found == ([] if value in ambiguous else [index]), value


@pytest.mark.parametrize("name", ["gender", "occupations", "proxies", "humans", "objects"])
def test_no_form_is_redundant(name):
    """No phrase is listed in which a shorter phrase of the same value is found alone."""
    phrases = load_vocabulary(FOLDER / f"{name}.yaml").phrases
    for phrase, value in phrases.items():
        parts = {phrase[a:b] for a, b in itertools.combinations(range(len(phrase) + 1), 2)} - {phrase}
        assert value is None or {phrases[part] for part in parts if part in phrases} != {value}, phrase
