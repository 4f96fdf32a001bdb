"""Vocabularies: the words and phrases that express each value of an attribute."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from clipfair.annotate.words import words
from clipfair.core.errors import UserError
from clipfair.core.settings import SettingsModel, parse_settings

_GROUP = re.compile(r"\(([^()]*)\)")
_ALLOWED = re.compile(r"[^\W_]+(?:[ '-][^\W_]+)*")


_Patterns = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class _ValueEntry(SettingsModel):
    source: str
    forms: _Patterns
    excluded: _Patterns = Field(default=[], alias="not")


class _VocabularyFile(SettingsModel):
    attribute: Annotated[str, Field(pattern="^[a-z]+$")]
    about: str
    sources: Annotated[dict[str, str], Field(min_length=1)]
    values: Annotated[dict[str, _ValueEntry], Field(min_length=1)]


@dataclass(frozen=True)
class Vocabulary:
    """The phrases of one attribute's values.

    Attributes
    ----------
    phrases : phrase, as its normalised words -> position of its value in ``values``; None for a phrase that
        expresses no value and prevents its words from being found ("vacuum cleaner" is no cleaner).
    lengths : last word of a phrase -> lengths of the phrases that end with it, longest first. Last words are
        rarer than first ones ("a cook"), which makes the search fast.
    hyphenated : the words whose hyphen matters; in all others a hyphen equals a space.
    """

    attribute: str
    values: tuple[str, ...]
    phrases: Mapping[tuple[str, ...], int | None]
    lengths: Mapping[str, tuple[int, ...]]
    hyphenated: frozenset[str]

    @property
    def columns(self) -> list[str]:
        """``attribute=value`` for every value."""
        return [f"{self.attribute}={value}" for value in self.values]

    def find(self, tokens: Sequence[str]) -> Iterator[tuple[int, int, int]]:
        """Yield start, stop and value of phrases in normalised words: rightmost, longest, without overlap."""
        free = len(tokens)
        for stop in [stop for stop, token in enumerate(tokens, 1) if token in self.lengths][::-1]:
            if stop <= free:
                for length in self.lengths[tokens[stop - 1]]:
                    phrase = tuple(tokens[max(stop - length, 0) : stop])
                    if phrase in self.phrases:
                        free = stop - len(phrase)
                        value = self.phrases[phrase]
                        if value is not None:
                            yield free, stop, value
                        break


def load_vocabulary(path: str | Path) -> Vocabulary:
    """Read a vocabulary file.

    Its keys are ``attribute``, ``about``, ``sources`` (name: citation) and ``values``. Each value has the
    name of its ``source``, its ``forms`` (patterns of :func:`expand`), and under ``not`` the phrases that
    contain one of its words in another meaning. A space in a form also matches a hyphen; a hyphen matches
    a hyphen only.

    Raises
    ------
    UserError
        If the file is not YAML, has an unknown key or source, an invalid form, or one form in two places.
    """
    entry = parse_settings(_VocabularyFile, _read(path), where=str(path))
    places: dict[tuple[str, ...], tuple[str, int | None]] = {}
    for index, (value, known) in enumerate(entry.values.items()):
        if known.source not in entry.sources:
            raise UserError(
                f"{path}: {value}: unknown source {known.source!r}; known: {', '.join(entry.sources)}"
            )
        for place, patterns in ((index, known.forms), (None, known.excluded)):
            for pattern in patterns:
                for form in expand(pattern, where=f"{path}: {value}"):
                    phrase = tuple(words(form))
                    if phrase in places:
                        raise UserError(
                            f"{path}: {form!r} is listed under {places[phrase][0]!r} and under {value!r}; "
                            "remove one"
                        )
                    places[phrase] = (value, place)
    return Vocabulary(
        attribute=entry.attribute,
        values=tuple(entry.values),
        phrases={phrase: place for phrase, (_, place) in places.items()},
        lengths=_lengths(places),
        hyphenated=frozenset(word for phrase in places for word in phrase if "-" in word),
    )


def expand(pattern: str, *, where: str) -> list[str]:
    """Return all forms of a pattern: ``(a|b)`` is a or b, ``(a)`` is a or nothing.

    >>> expand("police(man|men)", where="example")
    ['policeman', 'policemen']
    >>> expand("nurse(s)", where="example")
    ['nurse', 'nurses']
    """
    choices = [
        [part] if index % 2 == 0 else _choices(part) for index, part in enumerate(_GROUP.split(pattern))
    ]
    forms = ["".join(chosen) for chosen in itertools.product(*choices)]
    for form in forms:
        if _ALLOWED.fullmatch(form) is None:
            raise UserError(
                f"{where}: invalid pattern {pattern!r} (gives {form!r}): expected words of letters "
                "and digits with single spaces, hyphens or apostrophes between, and groups such as (man|men) "
                "or (s)"
            )
    return forms


def _choices(group: str) -> list[str]:
    return group.split("|") if "|" in group else ["", group]


def _lengths(phrases: Iterable[tuple[str, ...]]) -> dict[str, tuple[int, ...]]:
    found: dict[str, set[int]] = {}
    for phrase in phrases:
        found.setdefault(phrase[-1], set()).add(len(phrase))
    return {word: tuple(sorted(lengths, reverse=True)) for word, lengths in found.items()}


def _read(path: str | Path) -> object:
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None


class _UniqueKeys(yaml.SafeLoader):
    """A YAML loader that refuses repeated keys, as the standard demands; PyYAML keeps the last one."""


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict:
    names = [loader.construct_object(key) for key, _ in node.value]
    for name in names:
        if names.count(name) > 1:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {name!r} is there twice", node.start_mark
            )
    return loader.construct_mapping(node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
