"""Gender-neutral rewriting of captions (Appendix A.6)."""

import re
from pathlib import Path

import pandas as pd

from clipfair.annotate.examples import read_shards
from clipfair.annotate.vocabulary import Vocabulary
from clipfair.annotate.words import normalise, split_hyphens, split_words
from clipfair.core.errors import progress
from clipfair.core.io import write_parquet

# "her" is an object before these words and before any sign ("with her and", "near her."), and a possessive
# before all others ("her dog").
_AFTER_OBJECT = re.compile(
    "a|about|after|against|all|an|and|another|are|around|as|at|be|because|before|behind|beside|but|by|can"
    "|do|down|during|for|from|had|has|have|he|his|if|in|inside|into|is|it|its|near|next|not|of|off|on|or"
    "|out|outside|over|she|so|some|that|the|their|them|then|they|this|through|to|toward|towards|under"
    "|until|up|was|were|when|where|which|while|who|will|with|without"
)
_POSSESSIVE = "the person's"
_OBJECT = "the person"
_ARTICLES = ("a", "an")


def rewrite_shard(
    shard: str | Path, out_path: str | Path, *, replacements: Vocabulary, max_bad_share: float
) -> None:
    """Write ``key`` and the gender-neutral ``text`` of every good example of a shard (Appendix A.6)."""
    examples = progress(read_shards([shard], max_bad_share=max_bad_share), what=Path(shard).name)
    rows = [(example.key, neutralise(example.caption, replacements)) for example in examples]
    write_parquet(out_path, pd.DataFrame(rows, columns=["key", "text"], dtype="str"))


def neutralise(caption: str, replacements: Vocabulary) -> str:
    """Replace the words that express a person's gender.

    Follows the three examples of Appendix A.6 (female: person, gentlemen: people, she: the person); the
    rest of ``replacements`` is ours. Capitals, plurals and possessives are kept, and "a" or "an" is adapted
    to the new word. Parts of words are not replaced. As in the paper, an adjective is replaced like the
    noun: "a female judge" becomes "a person judge". A closing quotation mark between a plural in s and a
    word is read as a possessive.

    Parameters
    ----------
    replacements
        A vocabulary whose values are the neutral words.
    """
    pieces = _pieces(caption, replacements)
    tokens = [normalise(piece) for piece in pieces[1::2]]
    for start, stop, value in replacements.find(tokens):
        new = replacements.values[value]
        if new == _POSSESSIVE and tokens[start] == "her" and _is_object(tokens, stop):
            new = _OBJECT
        _fit_article(pieces, tokens, start, new)
        first, last = 2 * start + 1, 2 * stop - 1
        old = "".join(pieces[first : last + 1])
        pieces[first : last + 1] = [_like(old, new)] + [""] * (last - first)
        if _is_plural_possessive(old, pieces[last + 1 : last + 3]) and not new.endswith("s"):
            pieces[last + 1] = pieces[last + 1][0] + "s" + pieces[last + 1][1:]
    return "".join(pieces)


def _pieces(caption: str, replacements: Vocabulary) -> list[str]:
    """Gap, word, gap, ..., gap; hyphenated words are split unless they are in the vocabulary."""
    pieces = split_words(caption)
    parted = pieces[:1]
    for word, gap in zip(pieces[1::2], pieces[2::2], strict=True):
        parted += [word] if normalise(word) in replacements.hyphenated else split_hyphens(word)
        parted.append(gap)
    return parted


def _is_object(tokens: list[str], following: int) -> bool:
    if following == len(tokens):
        return True
    word = tokens[following]
    return _AFTER_OBJECT.fullmatch(word) is not None or not word[:1].isalnum()


def _fit_article(pieces: list[str], tokens: list[str], start: int, new: str) -> None:
    if start > 0 and tokens[start - 1] in _ARTICLES and pieces[2 * start].isspace():
        place = 2 * start - 1
        pieces[place] = _like(pieces[place], "an" if new[0] in "aeiou" else "a")


def _like(old: str, new: str) -> str:
    """``new`` with the capitals of ``old``."""
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new[0].upper() + new[1:] if old[0].isupper() else new


def _is_plural_possessive(old: str, after: list[str]) -> bool:
    """True if ``girls`` is followed by an apostrophe, a space and a word, as in ``girls' shoes``."""
    gap, word = [*after, "", ""][:2]
    return normalise(old).endswith("s") and gap[:1] in ("'", "\u2019") and gap[1:].isspace() and bool(word)
