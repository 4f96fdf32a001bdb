"""Attributes that captions mention, found as whole words (Appendix A.1: regular expression matching)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clipfair.annotate.vocabulary import Vocabulary
from clipfair.annotate.words import words


def annotate_captions(captions: Sequence[str], *vocabularies: Vocabulary) -> pd.DataFrame:
    """Find the values of each attribute that every caption mentions.

    Case and Unicode compatibility forms are ignored; accents are not. Only whole words match: not next to a
    letter or a digit, but next to anything else (space, hyphen, underscore, apostrophe, emoji, any other
    sign). A caption may mention several values, or none. Each vocabulary is searched separately:
    "policewoman" may be a gender and an occupation.

    Parameters
    ----------
    captions
        n texts.

    Returns
    -------
    (n, values of all vocabularies) booleans with the columns ``attribute=value``.
    """
    mentioned = [np.zeros((len(captions), len(vocabulary.values)), dtype=bool) for vocabulary in vocabularies]
    for row, caption in enumerate(captions):
        tokens = words(caption)
        may_have_hyphen = "-" in caption or not caption.isascii()
        for vocabulary, found in zip(vocabularies, mentioned, strict=True):
            parted = _part_hyphens(tokens, vocabulary) if may_have_hyphen else tokens
            for _, _, value in vocabulary.find(parted):
                found[row, value] = True
    columns = [column for vocabulary in vocabularies for column in vocabulary.columns]
    return pd.DataFrame(np.hstack(mentioned), columns=columns)


def _part_hyphens(tokens: list[str], vocabulary: Vocabulary) -> list[str]:
    # A lone hyphen gives two empty words, which are in no phrase.
    return [
        part for token in tokens for part in ([token] if token in vocabulary.hyphenated else token.split("-"))
    ]
