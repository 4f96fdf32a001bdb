"""The json of Karpathy and Fei-Fei: images with several captions and their splits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from clipfair.core.errors import UserError

ADVICE = "fetch the dataset again"


def read(path: str | Path, fields: Mapping[str, type]) -> pd.DataFrame:
    """Read the images of the file, in its order, numbered from 0.

    Parameters
    ----------
    fields
        Further fields to read of each image: name -> type.

    Returns
    -------
    ``fields``, ``split`` (text) and ``captions`` (list of text, as written, without blanks at their ends).

    Raises
    ------
    UserError
        If the file is not such a json, an image lacks a field, or a caption is empty.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {ADVICE}") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); {ADVICE}") from None
    images = _field(content, "images", list, str(path))
    if not images:
        raise UserError(f"{path}: names no image; {ADVICE}")
    rows = [_row(image, fields, where=f"{path}: image {number}") for number, image in enumerate(images)]
    return pd.DataFrame(rows)


def _row(image: Any, fields: Mapping[str, type], *, where: str) -> dict:
    row = {name: _field(image, name, kind, where) for name, kind in {**fields, "split": str}.items()}
    sentences = _field(image, "sentences", list, where)
    captions = [_field(sentence, "raw", str, where).strip() for sentence in sentences]
    if not captions or not all(captions):
        raise UserError(f"{where}: {'an empty caption' if captions else 'no caption'}; {ADVICE}")
    return {**row, "captions": captions}


def _field(content: Any, name: str, kind: type, where: str) -> Any:
    value = content.get(name) if isinstance(content, dict) else None
    if not isinstance(value, kind):
        raise UserError(f"{where}: no {name!r} ({kind.__name__}); {ADVICE}")
    return value
