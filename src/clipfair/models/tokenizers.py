"""Tokenizers that need no download.

A tokenizer takes n texts and returns (n, length) int64. Every text ends with the end token, also one that is
cut, and is padded with it (big_vision's sticky end), for towers that pool the last token.
"""

import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from clipfair.core import paths
from clipfair.core.errors import UserError, warn

Tokenizer = Callable[[Sequence[str]], Tensor]

WORDS = paths.ROOT / "resources/words"
# Of the words of a dataset; below it a word list is that of other data.
MIN_KNOWN_SHARE = 0.5
_WORD = re.compile(r"[a-z0-9]+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case.

    >>> words_of("A photo of non-glaucoma.")
    ['a', 'photo', 'of', 'non', 'glaucoma']
    """
    return _WORD.findall(text.lower())


@cache
def read_words(name: str) -> tuple[str, ...]:
    """Return the words of a list in ``resources/words``, one word per line.

    Raises
    ------
    UserError
        If there is no such list.
    """
    path = Path(WORDS, f"{name}.txt")
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in WORDS.glob("*.txt")))
        raise UserError(f"config.models: tokenizer: no word list {name!r}; known: {known}")
    return tuple(path.read_text(encoding="utf-8").split())


class WordListTokenizer:
    """The tokenizer of a word list: line numbers of words, 0 as end; other words are left out."""

    def __init__(self, name: str, length: int):
        self.name, self.length = name, length
        self.word_list = self
        self._numbers = {word: number for number, word in enumerate(read_words(name), start=1)}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        numbers = self._numbers
        rows = [[numbers[word] for word in words_of(text) if word in numbers] for text in texts]
        return _padded(rows, self.length, 0)

    def report(self, texts: Sequence[str], what: str) -> None:
        """Print how many words of the texts are left out; a warning if it is more than half of them."""
        words = [words_of(text) for text in texts]
        known = [sum(word in self._numbers for word in row) for row in words]
        total = sum(map(len, words))
        if sum(known) == total:
            return
        message = (
            f"the word list {self.name!r} has {sum(known) / total:.1%} of the {total:,} words of "
            f"{len(texts):,} {what}; {known.count(0):,} {what} have none of its words"
        )
        if sum(known) < MIN_KNOWN_SHARE * total:
            warn(f"{message}: use a model with a larger vocabulary, or a list for these data")
        else:
            print(f"clipfair: {message}", file=sys.stderr)


def report_unknown_words(tokenizer: Tokenizer, texts: Sequence[str], *, what: str = "captions") -> None:
    """Print how many words a tokenizer leaves out, if it is that of a word list (its ``word_list``)."""
    words = getattr(tokenizer, "word_list", None)
    if words is not None:
        words.report(texts, what)


def clip_tokenizer(length: int) -> Tokenizer:
    """Return CLIP's tokenizer, for its published models: start token, tokens, end token, zeros."""
    from open_clip import SimpleTokenizer

    return SimpleTokenizer(context_length=length)


def sticky_tokenizer(length: int) -> Tokenizer:
    """Return a tokenizer with CLIP's byte pairs (49,408 tokens, lower case), no start token, a sticky end."""
    from open_clip import SimpleTokenizer

    byte_pairs = SimpleTokenizer(context_length=length)
    end = byte_pairs.eot_token_id

    return lambda texts: _padded([byte_pairs.encode(text) for text in texts], length, end)


def _padded(tokens: Sequence[list[int]], length: int, end: int) -> Tensor:
    """Cut each row to ``length`` - 1 tokens, and pad it with ``end`` to ``length``."""
    rows = [[*row[: length - 1], *[end] * (length - len(row[: length - 1]))] for row in tokens]
    return torch.tensor(rows, dtype=torch.long).reshape(len(rows), length)
