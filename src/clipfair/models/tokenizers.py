"""Texts to numbers, without a download.

A tokenizer takes texts and returns (n, length) int64. Every text ends with the end token, also one that
is cut, and is filled up with it (big_vision's sticky end): a tower that pools its last token sees it.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from clipfair.core import paths
from clipfair.core.errors import UserError

Tokenizer = Callable[[Sequence[str]], Tensor]

WORDS = paths.ROOT / "resources/words"
PAIRS = 49_408  # tokens of CLIP's byte pairs
_WORD = re.compile(r"[a-z0-9]+")


def words_of(text: str) -> list[str]:
    """The words of a text, lower case.

    >>> words_of("A photo of non-glaucoma.")
    ['a', 'photo', 'of', 'non', 'glaucoma']
    """
    return _WORD.findall(text.lower())


@cache
def read_words(name: str) -> tuple[str, ...]:
    """The words of a list in ``resources/words``, one a line.

    Raises
    ------
    UserError
        If there is no such list.
    """
    path = Path(WORDS, f"{name}.txt")
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in WORDS.glob("*.txt")))
        raise UserError(f"config.models: tokenizer: no list of words {name!r}; known: {known}")
    return tuple(path.read_text(encoding="utf-8").split())


def word_tokenizer(name: str, length: int) -> Tokenizer:
    """One token a word of the list ``name``, which is its line number; 0 is the end. Others are left out."""
    numbers = {word: number for number, word in enumerate(read_words(name), start=1)}

    def known(text: str) -> list[int]:
        return [numbers[word] for word in words_of(text) if word in numbers]

    return lambda texts: _filled([known(text) for text in texts], length, 0)


def clip_tokenizer(length: int) -> Tokenizer:
    """CLIP's own, as its published models need it: start, tokens, end, zeros."""
    from open_clip import SimpleTokenizer

    return SimpleTokenizer(context_length=length)


def sticky_tokenizer(length: int) -> Tokenizer:
    """CLIP's byte pairs (49,408 tokens, lower case) with no start and a sticky end."""
    from open_clip import SimpleTokenizer

    pairs = SimpleTokenizer(context_length=length)

    return lambda texts: _filled([pairs.encode(text) for text in texts], length, pairs.eot_token_id)


def _filled(tokens: Sequence[list[int]], length: int, end: int) -> Tensor:
    """Rows of ``length``, each cut before its end and filled up with it."""
    rows = [[*row[: length - 1], *[end] * (length - len(row[: length - 1]))] for row in tokens]
    return torch.tensor(rows, dtype=torch.long).reshape(len(rows), length)
