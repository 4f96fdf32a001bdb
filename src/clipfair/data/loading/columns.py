"""Columns of a prepared table from checked cells.

Tables as :mod:`clipfair.data.loading.text_files` reads them contain strings only, and their index is the line
number, so that an error names file, line and column.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError

ADVICE = "replace it with the published file"


def numbers(frame: pd.DataFrame, columns: Iterable[str], *, path: str | Path) -> dict[str, pd.Series]:
    """Return the ``columns`` as int64.

    Raises
    ------
    UserError
        At the first cell that is not a whole number.
    """
    converted = {}
    for column in columns:
        values = pd.to_numeric(frame[column], errors="coerce")
        whole = (values % 1 == 0) & (values.abs() < 2**53)  # above, float64 cannot represent every integer
        refuse(frame[column], ~whole, "is not a whole number", path=path)
        converted[column] = values.astype("int64")
    return converted


def fractions(frame: pd.DataFrame, columns: Iterable[str], *, path: str | Path) -> dict[str, pd.Series]:
    """Return the ``columns`` as float64 in [0, 1].

    Raises
    ------
    UserError
        At the first cell that is not such a number.
    """
    converted = {}
    for column in columns:
        values = pd.to_numeric(frame[column], errors="coerce")
        refuse(frame[column], ~values.between(0, 1), "is not a number from 0 to 1", path=path)
        converted[column] = values.astype("float64")
    return converted


def categories(column: pd.Series, names: Mapping[str, str], *, path: str | Path) -> pd.Series:
    """Return ``column`` as a categorical of the values of ``names``; its keys are the spellings in the file.

    Raises
    ------
    UserError
        At the first cell that is not among the keys.
    """
    known = f"is unknown; known: {', '.join(names)}"
    refuse(column, ~column.isin(names.keys()), known, path=path)
    return column.map(names).astype(pd.CategoricalDtype(list(dict.fromkeys(names.values()))))


def categorical(values: Iterable[str], known: Iterable[str] | None = None) -> pd.Categorical:
    """Return ``values`` as a categorical in the order of ``known``, or in alphabetical order."""
    values = list(values)
    return pd.Categorical(values, categories=list(known) if known is not None else sorted(set(values)))


def constant(value: str, like: pd.DataFrame, known: Sequence[str] | None = None) -> pd.Series:
    """Return a categorical column of one value, with the index of ``like`` and the categories ``known``."""
    return pd.Series(value, index=like.index).astype(pd.CategoricalDtype(list(known or [value])))


def refuse(
    column: pd.Series,
    bad: pd.Series,
    what: str,
    *,
    path: str | Path,
    place: str = "line",
    advice: str = ADVICE,
) -> None:
    """Raise :class:`UserError` at the first cell of ``column`` that is ``bad``.

    Parameters
    ----------
    what
        What is wrong with the cell; the message puts it after the value.
    place
        What the index of the column counts.
    """
    if bad.any():
        at = bad.idxmax()
        raise UserError(f"{path}: {place} {at}: column {column.name!r}: {column[at]!r} {what}; {advice}")


def check_unique(column: pd.Series, *, path: str | Path, place: str = "line", advice: str = ADVICE) -> None:
    """Raise :class:`UserError` at the first value that repeats an earlier one."""
    refuse(column, column.duplicated(), "is there a second time", path=path, place=place, advice=advice)
