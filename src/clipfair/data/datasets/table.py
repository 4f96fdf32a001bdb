"""Tables as text, checked cell by cell before they become numbers and categories.

Between reading and converting, a table is a data frame of strings whose index is the line
number in its file, so that an error can name file, line and column.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import pandas as pd
import xlrd

from clipfair.core.catalogue import Expected
from clipfair.core.errors import UserError

ADVICE = "replace it with the published file"


def read_delimited(
    path: str | Path,
    *,
    columns: Sequence[str] | None,
    header: bool,
    delimiter: str = ",",
    comment: str | None = None,
) -> pd.DataFrame:
    """Read delimited text; blanks around fields, blank lines and comment lines are dropped.

    Parameters
    ----------
    columns
        The names of the columns; with ``header``, those that the first line must have, in any order,
        or None to take them as they are there.
    delimiter
        What stands between two fields.
    comment
        What a line to be ignored starts with.

    Raises
    ------
    UserError
        If the file is missing, empty, not UTF-8, has other columns, or a line with another
        number of fields.
    """
    path = Path(path)
    with _opened(path) as stream:
        rows = [
            (number, [field.strip() for field in row])
            for number, row in _numbered(stream, path, delimiter)
            if row and not (comment and row[0].startswith(comment))
        ]
    return _frame(path, rows, columns=columns, header=header)


def read_xls(path: str | Path, *, columns: Sequence[str], title_rows: int) -> pd.DataFrame:
    """Read the first sheet of an .xls workbook whose header follows ``title_rows`` rows.

    Whole numbers, which a workbook keeps as floating point, are spelt as integers.

    Raises
    ------
    UserError
        As :func:`read_delimited`; also if the file is not a workbook.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file; fetch the dataset again")
    try:
        sheet = xlrd.open_workbook(path).sheet_by_index(0)
    except (xlrd.XLRDError, xlrd.compdoc.CompDocError, AssertionError, IndexError) as error:
        raise UserError(f"{path}: not a readable .xls workbook ({error}); {ADVICE}") from None
    rows = [
        (number + 1, [_spell(cell) for cell in sheet.row_values(number)])
        for number in range(title_rows, sheet.nrows)
    ]
    return _frame(path, rows, columns=columns, header=True)


def numbers(frame: pd.DataFrame, columns: Iterable[str], *, path: str | Path) -> dict[str, pd.Series]:
    """The ``columns`` as 64-bit integers.

    Raises
    ------
    UserError
        At the first cell that is not a whole number.
    """
    converted = {}
    for column in columns:
        values = pd.to_numeric(frame[column], errors="coerce")
        whole = (values % 1 == 0) & (values.abs() < 2**53)  # beyond, a float no longer holds every integer
        refuse(frame[column], ~whole, "is not a whole number", path=path)
        converted[column] = values.astype("int64")
    return converted


def categories(column: pd.Series, names: Mapping[str, str], *, path: str | Path) -> pd.Series:
    """``column`` as a categorical of the values of ``names``, whose keys are their spellings in the file.

    Raises
    ------
    UserError
        At the first cell that is not among the keys.
    """
    known = f"is unknown; known: {', '.join(names)}"
    refuse(column, ~column.isin(names.keys()), known, path=path)
    return column.map(names).astype(pd.CategoricalDtype(list(dict.fromkeys(names.values()))))


def fractions(frame: pd.DataFrame, columns: Iterable[str], *, path: str | Path) -> dict[str, pd.Series]:
    """The ``columns`` as 64-bit floating point numbers in [0, 1].

    Raises
    ------
    UserError
        At the first cell that is none.
    """
    converted = {}
    for column in columns:
        values = pd.to_numeric(frame[column], errors="coerce")
        refuse(frame[column], ~values.between(0, 1), "is not a number from 0 to 1", path=path)
        converted[column] = values.astype("float64")
    return converted


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
        What is wrong with it, after its value.
    place
        What the index of the column counts.
    """
    if bad.any():
        at = bad.idxmax()
        raise UserError(f"{path}: {place} {at}: column {column.name!r}: {column[at]!r} {what}; {advice}")


def check_unique(column: pd.Series, *, path: str | Path) -> None:
    """Raise :class:`UserError` at the first value that was there before."""
    refuse(column, column.duplicated(), "is there a second time", path=path)


def check_expected(frame: pd.DataFrame, expected: Expected, *, name: str) -> None:
    """Compare the prepared table of dataset ``name`` with its published counts.

    Raises
    ------
    UserError
        At the first count that differs.
    """
    _compare(len(frame), expected.rows, "rows", name=name)
    if expected.classes is not None:
        _compare(frame["label"].nunique(), expected.classes, "classes", name=name)
    if expected.captions is not None:
        _compare(frame["captions"].map(len).sum(), expected.captions, "captions", name=name)
    for count in expected.counts:
        chosen = pd.Series(True, index=frame.index)
        for column, value in count.where.items():
            chosen &= frame[column] == value
        group = ", ".join(f"{column} = {value}" for column, value in count.where.items())
        _compare(chosen.sum(), count.rows, f"rows with {group}", name=name)


def _compare(found: int, published: int | None, what: str, *, name: str) -> None:
    if published is not None and found != published:
        raise UserError(
            f"{name}: {found:,} {what}, expected {published:,}; not the whole dataset: fetch it again, "
            f"or list {name} under subset to use what is there"
        )


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; fetch the dataset again") from None


def _numbered(stream: Iterable[str], path: Path, delimiter: str) -> Iterable[tuple[int, list[str]]]:
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: line {reader.line_num + 1}: not delimited text ({error}); {ADVICE}"
        ) from None


def _frame(
    path: Path, rows: list[tuple[int, list[str]]], *, columns: Sequence[str] | None, header: bool
) -> pd.DataFrame:
    """Check the header and the number of fields of each row."""
    if not rows:
        raise UserError(f"{path}: the file is empty; {ADVICE}")
    names = columns
    if header:
        line, names = rows.pop(0)
        _check_header(names, columns or names, where=f"{path}: line {line}")
        if not rows:
            raise UserError(f"{path}: the file has a header and no rows; {ADVICE}")
    for line, row in rows:
        if len(row) != len(names):
            raise UserError(f"{path}: line {line}: {len(row)} fields, expected {len(names)}; {ADVICE}")
    lines, cells = zip(*rows, strict=True)
    return pd.DataFrame(cells, index=pd.Index(lines), columns=names, dtype=str)[list(columns or names)]


def _check_header(found: Sequence[str], expected: Sequence[str], *, where: str) -> None:
    lacking = [name for name in expected if name not in found]
    surplus = [name for name in found if name not in expected]
    if lacking or surplus:
        told = [f"no column {', '.join(map(repr, lacking))}"] if lacking else []
        told += [f"unknown column {', '.join(map(repr, surplus))}"] if surplus else []
        raise UserError(f"{where}: {' but '.join(told)}; {ADVICE}")
    if len(found) != len(set(found)):
        twice = sorted({name for name in found if list(found).count(name) > 1})
        raise UserError(f"{where}: column {', '.join(map(repr, twice))} is there twice; {ADVICE}")


def _spell(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
