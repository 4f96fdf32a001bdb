"""Karpathy and Fei-Fei's json of images with several captions and their splits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.data.datasets import table

ADVICE = "fetch the dataset again"


def read(path: str | Path, fields: Mapping[str, type]) -> pd.DataFrame:
    """Every image of the file, in its order, from 0.

    Parameters
    ----------
    fields
        What is read of each image besides its split and captions: name -> type.

    Returns
    -------
    ``fields``, ``split`` (text) and ``captions`` (list of text, as written, blanks at their ends dropped).

    Raises
    ------
    UserError
        If the file is no such json, an image lacks a field, or a caption is empty.
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


def check_unique(column: pd.Series, *, path: str | Path) -> None:
    """Raise :class:`UserError` at the first image whose value was there before."""
    table.refuse(
        column, column.duplicated(), "is there a second time", path=path, place="image", advice=ADVICE
    )
