"""Labels of images from a file: the values of each attribute that an example has."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from clipfair.core.errors import UserError

_IMAGE_PREFIX = "image."


def read_labels(
    path: str | Path, *, categories: Sequence[str] = (), flags: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read the labels of images from a parquet.

    Parameters
    ----------
    path
        A file with ``key`` (unique strings) and columns of 0 and 1 or booleans, ``attribute=value``, or
        ``image.attribute=value`` if the file has both modalities. Other columns are ignored.
    categories
        Columns of value names (empty for none), each of which becomes one column a value: ``object``
        becomes ``object=dog`` and so on.
    flags
        Label -> column of 0 and 1 or booleans: ``{"human=person": "person"}``.

    Returns
    -------
    One row an example: ``key`` and booleans ``attribute=value``.

    Raises
    ------
    UserError
        If the file cannot be read, lacks a column, has no label or a repeated key, or a cell is neither 0
        nor 1.
    """
    frame = _read(path)
    named = flags or {}
    missing = [name for name in ("key", *categories, *named.values()) if name not in frame]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; it has {', '.join(frame.columns)}")
    if frame["key"].duplicated().any():
        key = frame["key"][frame["key"].duplicated()].iloc[0]
        raise UserError(f"{path}: duplicate key {key!r}; keys must be unique")
    columns = {
        name.removeprefix(_IMAGE_PREFIX): frame[name]
        for name in frame
        if "=" in name and "." not in name.removeprefix(_IMAGE_PREFIX).partition("=")[0]
    }
    columns |= {label: frame[name] for label, name in named.items()}
    for name in categories:
        columns |= pd.get_dummies(frame[name], prefix=name, prefix_sep="=").to_dict("series")
    if not columns:
        raise UserError(f"{path}: no labels; expected columns such as gender=man or image.gender=man")
    for label, values in columns.items():
        if not values.isin([0, 1]).all():
            raise UserError(f"{path}: {label}: expected only 0 and 1 or booleans, without empty cells")
    return pd.concat([frame["key"], pd.DataFrame(columns).astype(bool)], axis=1)


def _read(path: str | Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; fetch the dataset again") from None
    except pa.ArrowInvalid as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: cannot be read as parquet ({reason}); fetch the dataset again") from None
