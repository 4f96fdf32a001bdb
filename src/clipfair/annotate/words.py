"""The definition of a word, shared by the search for words and by rewriting."""

import re
import unicodedata

# A letter or digit, with its combining marks and the zero-width characters (soft hyphen, joiners) that may
# occur inside a word. The modifier letter apostrophe counts as an apostrophe, the underscore as a space.
_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff"
_WIDTHLESS = "\u00ad\u200c\u200d\u2060\ufeff"
_LETTERS = rf"(?:[^\W_\u02bc]++[{_MARKS}{_WIDTHLESS}]*+)++"
_HYPHENS = "-\u2010\u2011"

# Words joined by hyphens are one word here. Any other sign is a word of its own, so that no phrase extends
# across it; only spaces, underscores and apostrophes are skipped.
_WORD = re.compile(rf"{_LETTERS}(?:[{_HYPHENS}]{_LETTERS})*+|[^\s\w'\u2019]")
_WORD_AS_GROUP = re.compile(rf"({_WORD.pattern})")
_HYPHEN_AS_GROUP = re.compile(rf"([{_HYPHENS}])")
_NORMAL_HYPHEN = str.maketrans({"\u2010": "-"} | dict.fromkeys(_WIDTHLESS))


def normalise(word: str) -> str:
    """Return the word in NFKC, case folded, without zero-width characters; accents stay."""
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFKC", word).translate(_NORMAL_HYPHEN).casefold()


def words(text: str) -> list[str]:
    """Return the normalised words of a text in order, hyphenated words as one, other signs unchanged."""
    if text.isascii():
        return _WORD.findall(text.lower())
    return [normalise(word) for word in _WORD.findall(text)]


def split_words(text: str) -> list[str]:
    """Split a text into gap, word, gap, ..., word, gap, not normalised; joined they give the text."""
    return _WORD_AS_GROUP.split(text)


def split_hyphens(word: str) -> list[str]:
    """Split a hyphenated word into part, hyphen, part, ...; joined they give the word."""
    return _HYPHEN_AS_GROUP.split(word)
