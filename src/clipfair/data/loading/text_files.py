"""Published tables as data frames of strings, whose index is the line number in the file."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

import pandas as pd
import xlrd

from clipfair.core.errors import UserError
from clipfair.data.loading.columns import ADVICE


def read_delimited(
    path: str | Path,
    *,
    columns: Sequence[str] | None,
    header: bool,
    delimiter: str = ",",
    comment: str | None = None,
) -> pd.DataFrame:
    """Read delimited text without blanks around fields, blank lines and comment lines.

    Parameters
    ----------
    columns
        The names of the columns; with ``header``, those that the first line must have, in any order,
        or None to accept any.
    delimiter
        The character between two fields.
    comment
        The beginning of lines to ignore.

    Raises
    ------
    UserError
        If the file is missing, empty, not UTF-8, has other columns, or a line with a different number of
        fields.
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

    Whole numbers, which a workbook stores as floating point, are written as integers.

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
        (number + 1, [_as_text(cell) for cell in sheet.row_values(number)])
        for number in range(title_rows, sheet.nrows)
    ]
    return _frame(path, rows, columns=columns, header=True)


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
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    if missing or unknown:
        problems = [f"no column {', '.join(map(repr, missing))}"] if missing else []
        problems += [f"unknown column {', '.join(map(repr, unknown))}"] if unknown else []
        raise UserError(f"{where}: {' but '.join(problems)}; {ADVICE}")
    if len(found) != len(set(found)):
        repeated = sorted({name for name in found if list(found).count(name) > 1})
        raise UserError(f"{where}: column {', '.join(map(repr, repeated))} occurs twice; {ADVICE}")


def _as_text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
