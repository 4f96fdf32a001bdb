"""A table of annotations, parquet or csv, read in batches of rows; and the keys of its examples."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv
from pyarrow import parquet as pq

from clipfair.core.errors import UserError
from clipfair.core.keys import hash_keys, key_texts

_BATCH_ROWS = 1 << 19


class AnnotationTable:
    """A parquet or csv file, one row an example. In a csv every cell is text, and an empty one missing.

    Attributes
    ----------
    path : the file.
    columns : names of its columns.
    booleans : names of those that hold booleans.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"{path}: no such file: give a .parquet or .csv file")
        if self.path.suffix not in (".parquet", ".csv"):
            raise UserError(f"{path}: unknown kind of file: a table must end in .parquet or .csv")
        try:
            if self.path.suffix == ".parquet":
                with pq.ParquetFile(self.path) as file:
                    schema = file.schema_arrow
            else:
                with pa_csv.open_csv(self.path) as file:
                    schema = pa.schema([(name, pa.string()) for name in file.schema.names])
        except pa.ArrowInvalid as error:
            raise UserError(f"{path}: cannot be read as {self.path.suffix[1:]}: {one_line(error)}") from None
        self.columns = schema.names
        self.booleans = {field.name for field in schema if pa.types.is_boolean(field.type)}

    def check_columns(self, names: Sequence[str]) -> None:
        """Raise unless the table has every column."""
        for name in names:
            if name not in self.columns:
                raise UserError(f"{self.path}: no column {name!r}: its columns are {', '.join(self.columns)}")

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The named columns, half a million rows at a time."""
        rows = 0
        try:
            for batch in self._parquet(columns) if self.path.suffix == ".parquet" else self._csv(columns):
                rows += batch.num_rows
                yield batch
        except pa.ArrowInvalid as error:
            raise UserError(f"{self.path}: cannot be read after row {rows}: {one_line(error)}") from None
        if rows == 0:
            raise UserError(f"{self.path}: the table has no rows: at least one example is needed")

    def _parquet(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.path) as file:
            yield from file.iter_batches(_BATCH_ROWS, columns=list(columns))

    def _csv(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        options = pa_csv.ConvertOptions(
            include_columns=list(columns),
            column_types={name: pa.string() for name in columns},
            strings_can_be_null=True,
            null_values=[""],
        )
        read = pa_csv.ReadOptions(block_size=1 << 24)
        with pa_csv.open_csv(self.path, read_options=read, convert_options=options) as file:
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


def keys_of(batch: pa.RecordBatch, key: str | None, *, first_row: int) -> pa.Array:
    """The examples' keys: a column, or else their row numbers from 0."""
    if key is None:
        return pa.array(np.arange(first_row, first_row + batch.num_rows))
    column = plain_column(batch.column(key))
    check_present(column, key, first_row, hint="a key names its example")
    return column


def check_unique(tables: Sequence[AnnotationTable], key: str, hashes: np.ndarray, *, seed: int) -> None:
    """Raise if a key occurs twice.

    ``hashes`` are those of all keys: only keys of equal hashes are read again and compared.
    """
    hashes = np.sort(hashes)
    repeated = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    if len(repeated) == 0:
        return
    place_of: dict[str, str] = {}
    for table in tables:
        first_row = 0
        for batch in table.batches([key]):
            keys = key_texts(keys_of(batch, key, first_row=first_row))
            for row in np.flatnonzero(np.isin(hash_keys(keys, seed=seed), repeated)):
                place = f"row {first_row + row + 1} of {table.path}"
                if keys[row] in place_of:
                    raise UserError(
                        f"key {keys[row]!r} ({key}) is in {place_of[keys[row]]} and in {place}: "
                        "keys must be unique, since sampling and keep-lists use them"
                    )
                place_of[keys[row]] = place
            first_row += batch.num_rows


def plain_column(column: pa.Array) -> pa.Array:
    """The column with its values in place of the codes of a dictionary."""
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column


def check_present(column: pa.Array, name: str, first_row: int, *, hint: str) -> None:
    """Raise on a missing value; ``hint`` ends the message, ``first_row`` is the row of its start."""
    if column.null_count:
        row = first_row + pc.index(pc.is_null(column), True).as_py() + 1
        raise UserError(f"column {name!r}: missing value in row {row}: fill or drop such rows; {hint}")


def one_line(error: Exception) -> str:
    """The message of an error without its line breaks."""
    return " ".join(str(error).split())
