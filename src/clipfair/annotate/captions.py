"""Text annotations of captions without images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import parquet as pq

from clipfair.annotate.text import annotate_captions
from clipfair.annotate.vocabulary import Vocabulary
from clipfair.core.errors import UserError
from clipfair.core.io import write_parquet

# The columns that may contain an image's text, in the order of preference, and how reports call them.
_TEXTS = {"captions": "captions", "class_name": "class names", "label": "class names"}


def annotate_table(table: str | Path, out_path: str | Path, *, vocabularies: Sequence[Vocabulary]) -> None:
    """Annotate the captions of a prepared table, one row a caption.

    In a table without captions the class name is an image's one caption, as in zero-shot evaluation
    (ImageNet in Appendix A.6).

    Parameters
    ----------
    table
        A parquet with ``key`` (the image's) and ``captions`` (list of text), or else ``class_name`` or
        ``label``.
    out_path
        A parquet with ``key`` (the image's, # and the caption's number), ``caption``, a boolean
        ``text.attribute=value`` for every value, and ``human``. ``attrs["captions"]`` is ``captions`` or
        ``class names``.

    Raises
    ------
    UserError
        If the table has none of these columns.
    """
    known = pq.read_schema(table).names
    column = next((name for name in _TEXTS if name in known), None)
    if column is None:
        raise UserError(f"{table}: no column {', '.join(_TEXTS)}: there is no text to annotate")
    frame = pd.read_parquet(table, columns=["key", column]).explode(column, ignore_index=True)
    number = frame.groupby("key", sort=False).cumcount().astype(str)
    # A class name is repeated for each of its images; each text is searched once.
    texts, text_of_row = np.unique(frame[column].astype(str), return_inverse=True)
    attributes = annotate_captions(list(texts), *vocabularies).add_prefix("text.").iloc[text_of_row]
    attributes = attributes.reset_index(drop=True)
    human = attributes.loc[:, attributes.columns.str.startswith("text.human=")].any(axis=1)
    head = pd.DataFrame({"key": frame["key"] + "#" + number, "caption": texts[text_of_row]})
    annotated = pd.concat([head, attributes], axis=1).assign(human=human)
    annotated.attrs["captions"] = _TEXTS[column]
    write_parquet(out_path, annotated)
