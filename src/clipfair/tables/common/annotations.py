"""Annotations on disk: their columns, and their values shard by shard."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet as pq

from clipfair.core.errors import UserError
from clipfair.data.annotation_columns import MODALITIES, AnnotationColumn, columns_by_attribute


def find_columns(
    paths: Sequence[str | Path], *attributes: str, modalities: Sequence[str] = MODALITIES
) -> dict[str, list[AnnotationColumn]]:
    """Return the columns of each attribute in a dataset's annotations, in the first file's order.

    Raises
    ------
    UserError
        If there is no file, the first cannot be read, or it has no column of one of the attributes.
    """
    path = _first(paths)
    grouped = columns_by_attribute(_guarded(path, pq.read_schema).names, modalities=modalities)
    for attribute in attributes:
        if attribute not in grouped:
            expected = " or ".join(f"{modality}.{attribute}=..." for modality in modalities)
            raise UserError(f"{path}: no column {expected}; annotate the attribute {attribute!r} first")
    return {attribute: grouped[attribute] for attribute in attributes}


def read_annotations(paths: Sequence[str | Path], columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield the named columns of each file.

    Raises
    ------
    UserError
        If there is no file, one cannot be read, has no rows, lacks a column, or has an empty cell.
    """
    _first(paths)
    for path in paths:
        missing = set(columns) - set(_guarded(path, pq.read_schema).names)
        if missing:
            raise UserError(
                f"{path}: no column {min(missing)!r}; all annotations of a dataset need the same columns: "
                "annotate it again as a whole"
            )
        frame = _guarded(path, lambda path: pd.read_parquet(path, columns=list(columns)))
        if frame.empty:
            raise UserError(f"{path}: it has no rows; at least one example is needed")
        empty = frame.isna().any()
        if empty.any():
            raise UserError(f"{path}: column {empty.idxmax()!r} has empty cells; annotate it again")
        yield frame


def _first(paths: Sequence[str | Path]) -> str | Path:
    if not paths:
        raise UserError("no annotations were given: expected at least one parquet file")
    return paths[0]


def _guarded(path: str | Path, read: Callable[[str | Path], Any]) -> Any:
    try:
        return read(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; make it first") from None
    except pa.ArrowInvalid as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: cannot be read as parquet ({reason}); make it again") from None
