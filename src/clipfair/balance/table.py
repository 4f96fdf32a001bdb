"""A table of annotations, parquet or text, read in batches of rows; and the keys of its examples."""

import contextlib
import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet as pq

from clipfair.balance.key_hashes import repeated_hashes
from clipfair.balance.table_files import ENDINGS, kind_of, open_text
from clipfair.core.errors import UserError
from clipfair.core.keys import hash_keys, key_texts

_BATCH_ROWS = 1 << 19
_LISTED_COLUMNS = 30


class AnnotationTable:
    """A parquet file or a file of separated text, one row an example.

    In a text file every cell is text, and one of :data:`~clipfair.balance.table_files.MISSING_MARKS` missing.

    Attributes
    ----------
    path : the file.
    kind : "parquet" or "text".
    types : Arrow's type of each column, by name.
    columns : names of the columns.
    booleans : names of those that hold booleans.
    may_be_empty : whether a file without rows is allowed, as one of several shards may be.
    separator : of the cells in a text file; None to detect it.
    """

    def __init__(self, path: str | Path, *, may_be_empty: bool = False, separator: str | None = None):
        self.path = Path(path)
        self.may_be_empty = may_be_empty
        self.separator = separator
        if not self.path.is_file():
            found = "not a regular file, as a table must be" if self.path.exists() else "no such file"
            raise UserError(f"{path}: {found}: give a table that ends in {ENDINGS}")
        kind = kind_of(self.path)
        if kind is None:
            raise UserError(f"{path}: unknown kind of file: convert it to one that ends in {ENDINGS}")
        self.kind = kind
        schema = self._read_schema()
        self.columns = schema.names
        self.types = dict(zip(schema.names, schema.types, strict=True))
        self.booleans = {field.name for field in schema if pa.types.is_boolean(field.type)}

    def _read_schema(self) -> pa.Schema:
        try:
            if self.kind == "parquet":
                with pq.ParquetFile(self.path) as file:
                    return file.schema_arrow
            with open_text(self.path, separator=self.separator) as file:
                return pa.schema([(name, pa.string()) for name in file.schema.names])
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise UserError(f"{self.path}: cannot be read as {self.kind}: {one_line(error)}") from None
        except OSError as error:
            # Arrow raises an OSError without a number for a damaged file.
            if error.errno is not None:
                raise
            raise UserError(f"{self.path}: cannot be read: {one_line(error)}") from None

    def check_columns(self, names: Sequence[str]) -> None:
        """Raise unless the table has every column."""
        for name in names:
            if name not in self.columns:
                raise UserError(f"{self.path}: no column {name!r}{self._similar(name)}")
            if self.columns.count(name) > 1:
                raise UserError(f"{self.path}: column {name!r} occurs more than once: rename the others")

    def _similar(self, name: str) -> str:
        """A column of almost this name, and the first columns."""
        by_case = {column.casefold(): column for column in self.columns}
        close = difflib.get_close_matches(name.casefold(), by_case, n=1)
        hint = f" (did you mean {by_case[close[0]]!r}?)" if close else ""
        more = ", ..." if len(self.columns) > _LISTED_COLUMNS else ""
        listed = f"{hint}: its columns are {', '.join(self.columns[:_LISTED_COLUMNS])}{more}"
        is_whole_line = self.kind == "text" and len(self.columns) == 1
        return f"{listed}; name the separator of its cells in --separator" if is_whole_line else listed

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The named columns, half a million rows at a time."""
        rows = 0
        try:
            for batch in self._parquet(columns) if self.kind == "parquet" else self._text(columns):
                rows += batch.num_rows
                yield batch
        except pa.ArrowInvalid as error:
            raise UserError(f"{self.path}: cannot be read after row {rows}: {one_line(error)}") from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise UserError(f"{self.path}: cannot be read after row {rows}: {one_line(error)}") from None
        if rows == 0 and not self.may_be_empty:
            raise UserError(f"{self.path}: the table has no rows: at least one example is needed")

    def _parquet(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=list(columns)):
                yield batch.select(list(columns))  # "a" also selects "a.b"

    def _text(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with open_text(self.path, columns, separator=self.separator) as file:
            yield from (batch for batch in file if batch.num_rows)


class SelectedRows(AnnotationTable):
    """The rows of a table whose ``key`` is among ``keys``."""

    def __init__(self, path: str | Path, keys: pa.Array):
        super().__init__(path)
        self.check_columns(["key"])
        self._keys = keys

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The named columns of the selected rows; nothing if none is selected."""
        for batch in super().batches(list(dict.fromkeys([*columns, "key"]))):
            keys = pc.cast(batch.column("key"), self._keys.type)
            chosen = batch.filter(pc.is_in(keys, value_set=self._keys)).select(list(columns))
            if chosen.num_rows:
                yield chosen


@dataclass(frozen=True)
class TableBatch:
    """Consecutive rows of one of several tables.

    Attributes
    ----------
    table : the number of the table.
    path : its file.
    columns : the rows.
    first_row : the first of them in the table, from 0.
    first_example : the first of them in all tables together, from 0.
    """

    table: int
    path: Path
    columns: pa.RecordBatch
    first_row: int
    first_example: int


def batches_of(tables: Iterable[AnnotationTable], columns: Sequence[str]) -> Iterator[TableBatch]:
    """The named columns of the tables, one table after the other."""
    examples = 0
    for number, table in enumerate(tables):
        rows = 0
        for batch in table.batches(columns):
            yield TableBatch(number, table.path, batch, rows, examples)
            rows += batch.num_rows
            examples += batch.num_rows


def keys_of(batch: TableBatch, key: str | None) -> pa.Array:
    """The examples' keys: a column, or else the numbers of the rows in all tables, from 0."""
    if key is None:
        return pa.array(np.arange(batch.first_example, batch.first_example + batch.columns.num_rows))
    column = plain_column(batch.columns.column(key))
    check_present(column, key, batch.first_row, hint="a key names its example")
    return column


def check_unique(
    tables: Sequence[AnnotationTable], key: str, hashes: Sequence[np.ndarray], *, seed: int
) -> None:
    """Raise if a key occurs twice.

    ``hashes`` are sorted parts that together hold the hash of every key: only keys of equal hashes are read
    again and compared.
    """
    repeated = repeated_hashes(hashes)
    if len(repeated):
        compare_keys(tables, key, repeated, seed=seed)


def compare_keys(tables: Sequence[AnnotationTable], key: str, hashes: np.ndarray, *, seed: int) -> None:
    """Raise if two keys with one of these hashes are equal."""
    place_of: dict[str, str] = {}
    for batch in batches_of(tables, [key]):
        keys = key_texts(keys_of(batch, key))
        for row in np.flatnonzero(np.isin(hash_keys(keys, seed=seed), hashes)):
            place = f"row {batch.first_row + row + 1} of {batch.path}"
            if keys[row] in place_of:
                raise UserError(
                    f"key {keys[row]!r} ({key}) is in {place_of[keys[row]]} and in {place}: "
                    "keys must be unique, since sampling and keep-lists use them"
                )
            place_of[keys[row]] = place


def plain_column(column: pa.Array) -> pa.Array:
    """The column with its values in place of the codes of a dictionary, and with NaN as a missing value."""
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    if pa.types.is_floating(column.type):
        is_number = pc.invert(pc.is_nan(column))
        column = pc.if_else(is_number, column, None)
    return column


def check_present(column: pa.Array, name: str, first_row: int, *, hint: str) -> None:
    """Raise on a missing value; ``hint`` ends the message, ``first_row`` is the row of its start."""
    if column.null_count:
        row = first_row + pc.index(pc.is_null(column), True).as_py() + 1
        raise UserError(f"column {name!r}: missing value in row {row}: fill or drop such rows; {hint}")


@contextlib.contextmanager
def errors_in(path: Path) -> Iterator[None]:
    """Name the file in the errors that its content causes."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def one_line(error: Exception) -> str:
    """The message of an error without its line breaks."""
    return " ".join(str(error).split())
