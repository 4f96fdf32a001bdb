"""Text annotations and neutral rewritings as files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import parquet as pq

from clipfair.annotate.neutral import neutralise
from clipfair.annotate.shards import read_shards
from clipfair.annotate.text import annotate_captions
from clipfair.annotate.vocabulary import Vocabulary
from clipfair.core.errors import UserError, progress
from clipfair.core.io import write_parquet

# What stands for the text of a picture, the first that a prepared table has.
_TEXTS = {"captions": "captions", "class_name": "class names", "label": "class names"}


def annotate_table(table: str | Path, out_path: str | Path, *, vocabularies: Sequence[Vocabulary]) -> None:
    """Annotate the captions of a prepared table, one row a caption.

    A table of classes has none: there the name of its class is a picture's one caption, since that is
    the text which an evaluation gives it (ImageNet in Appendix A.6).

    Parameters
    ----------
    table
        A parquet with ``key`` (the image's) and ``captions`` (list of text), or else ``class_name`` or
        ``label``.
    out_path
        Gets ``key`` (the image's, # and the caption's number), ``caption``, a boolean
        ``text.attribute=value`` for every value, and ``human``; ``attrs["captions"]`` says what the
        captions are: captions or class names.

    Raises
    ------
    UserError
        If the table has neither.
    """
    known = pq.read_schema(table).names
    column = next((name for name in _TEXTS if name in known), None)
    if column is None:
        raise UserError(f"{table}: no column {', '.join(_TEXTS)}: there is no text to annotate")
    frame = pd.read_parquet(table, columns=["key", column]).explode(column, ignore_index=True)
    number = frame.groupby("key", sort=False).cumcount().astype(str)
    # A class's name is there as often as its pictures are.
    texts, of_text = np.unique(frame[column].astype(str), return_inverse=True)
    bits = annotate_captions(list(texts), *vocabularies).add_prefix("text.").iloc[of_text]
    bits = bits.reset_index(drop=True)
    human = bits.loc[:, bits.columns.str.startswith("text.human=")].any(axis=1)
    head = pd.DataFrame({"key": frame["key"] + "#" + number, "caption": texts[of_text]})
    annotated = pd.concat([head, bits], axis=1).assign(human=human)
    annotated.attrs["captions"] = _TEXTS[column]
    write_parquet(out_path, annotated)


def rewrite_shard(
    shard: str | Path, out_path: str | Path, *, replacements: Vocabulary, max_bad_share: float
) -> None:
    """Write ``key`` and the neutral ``text`` of every good example of a shard (Appendix A.6)."""
    examples = progress(read_shards([shard], max_bad_share=max_bad_share), what=Path(shard).name)
    rows = [(example.key, neutralise(example.caption, replacements)) for example in examples]
    write_parquet(out_path, pd.DataFrame(rows, columns=["key", "text"], dtype="str"))
