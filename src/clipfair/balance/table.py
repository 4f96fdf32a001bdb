"""Anyone's table of annotations, parquet or csv, streamed as rows of indicator bits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv
from pyarrow import parquet as pq
from scipy import sparse

from clipfair.core.errors import UserError

_BATCH_ROWS = 1 << 19
_MAX_CATEGORIES = 1000
_BINARY_WORDS = {"0", "1", "true", "false"}
_SET_WORDS = {"1", "true"}


@dataclass(frozen=True)
class Indicator:
    """One 0/1 attribute of an example: a binary column, or one value of a text column."""

    column: str
    value: str | None = None

    @property
    def name(self) -> str:
        """``column``, or ``column=value``."""
        return self.column if self.value is None else f"{self.column}={self.value}"


@dataclass(frozen=True)
class Layout:
    """How a table's columns become sensitive attributes, labels and utilities.

    ``missing`` says what an empty cell is: an error, or no indicator set.
    """

    sensitive: tuple[Indicator, ...]
    labels: tuple[Indicator, ...]
    utility: str | None = None
    missing: Literal["error", "unset"] = "error"

    @property
    def indicators(self) -> tuple[Indicator, ...]:
        """Sensitive indicators, then labels."""
        return self.sensitive + self.labels

    @property
    def columns(self) -> list[str]:
        """The columns to read, each once."""
        names = [indicator.column for indicator in self.indicators]
        return list(dict.fromkeys(names if self.utility is None else [*names, self.utility]))

    @property
    def width(self) -> int:
        """The bytes of an encoded row: 8 indicators a byte, then the float of the utility."""
        return -(-len(self.indicators) // 8) + 8 * (self.utility is not None)


def layout_from(values: dict) -> Layout:
    """The layout of which these are the values (``dataclasses.asdict``), for reading files."""
    parts = {name: tuple(Indicator(**part) for part in values[name]) for name in ("sensitive", "labels")}
    return Layout(**(values | parts))


class Table:
    """A parquet or csv file, read in batches. In a csv every cell is text, and an empty one missing."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"{path}: no such file: give a .parquet or .csv file")
        if self.path.suffix not in (".parquet", ".csv"):
            raise UserError(f"{path}: unknown kind of file: a table must end in .parquet or .csv")
        try:
            if self.path.suffix == ".parquet":
                with pq.ParquetFile(self.path) as file:
                    schema, self.rows = file.schema_arrow, file.metadata.num_rows
            else:
                with pa_csv.open_csv(self.path) as file:
                    schema, self.rows = pa.schema([(name, pa.string()) for name in file.schema.names]), None
        except pa.ArrowInvalid as error:
            raise UserError(f"{path}: cannot be read as {self.path.suffix[1:]}: {_one_line(error)}") from None
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
            raise UserError(f"{self.path}: cannot be read after row {rows}: {_one_line(error)}") from None
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


def describe(
    table: Table,
    *,
    sensitive: Sequence[str],
    labels: Sequence[str],
    utility: str | None = None,
    missing: Literal["error", "unset"] = "error",
) -> Layout:
    """Decide from a table's values which indicators its columns hold.

    A column of booleans, or of 0 and 1, is one indicator; a column of text is one for each of its
    values, in alphabetical order. Other numbers are refused: they need cutting into categories.
    """
    named = [*sensitive, *labels]
    table.check_columns([*named, *([] if utility is None else [utility])])
    for name in named:
        if named.count(name) > 1:
            raise UserError(f"column {name!r} is named twice: a column is either sensitive or a label, once")
    values: dict[str, set] = {name: set() for name in named}
    unknown = [name for name in named if name not in table.booleans]
    for batch in table.batches(unknown) if unknown else ():
        for name in unknown:
            values[name].update(pc.unique(_plain(batch.column(name))).to_pylist())
            if len(values[name]) > _MAX_CATEGORIES:
                raise UserError(
                    f"{table.path}: column {name!r} has more than {_MAX_CATEGORIES} values: "
                    "expected 0/1, true/false, or text with few categories"
                )
    return Layout(
        sensitive=tuple(i for name in sensitive for i in _indicators(table, name, values[name] - {None})),
        labels=tuple(i for name in labels for i in _indicators(table, name, values[name] - {None})),
        utility=utility,
        missing=missing,
    )


def _indicators(table: Table, name: str, values: set) -> list[Indicator]:
    if all(_is_binary(value) for value in values):
        return [Indicator(name)]
    if all(_is_number(value) for value in values):
        some = ", ".join(str(value) for value in sorted(values, key=float)[:3])
        raise UserError(
            f"{table.path}: column {name!r} holds numbers ({some}, ...), expected 0/1 or text: "
            "cut them into named categories first"
        )
    return [Indicator(name, value) for value in sorted(str(value) for value in values)]


def _is_binary(value: object) -> bool:
    return value.lower() in _BINARY_WORDS if isinstance(value, str) else value in (0, 1)


def _is_number(value: object) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def encode(batch: pa.RecordBatch, layout: Layout, *, first_row: int = 0) -> np.ndarray:
    """Rows as bytes, equal where (s, y, u) are: 8 indicators a byte, then the float of the utility.

    ``first_row`` is the batch's place in the table, for messages.
    """
    indicators = layout.indicators
    width = -(-len(indicators) // 8)
    rows = np.zeros((batch.num_rows, layout.width), dtype=np.uint8)
    columns = {}
    for name in dict.fromkeys(indicator.column for indicator in indicators):
        columns[name] = _plain(batch.column(name))
        _check_known(columns[name], name, [i.value for i in indicators if i.column == name])
        if layout.missing == "error":
            _check_present(
                columns[name], name, first_row, hint="or let them set no indicator (--missing unset)"
            )
    for byte in range(width):
        bits = np.zeros(batch.num_rows, dtype=np.uint8)
        for bit, indicator in enumerate(indicators[8 * byte : 8 * byte + 8]):
            bits |= _is_set(columns[indicator.column], indicator) << np.uint8(bit)
        rows[:, byte] = bits
    if layout.utility is not None:
        utility = _utilities(batch.column(layout.utility), layout.utility, first_row)
        rows[:, width:] = utility[:, None].view(np.uint8)
    return rows


def decode(rows: np.ndarray, layout: Layout) -> tuple[np.ndarray, sparse.csr_array, np.ndarray]:
    """Sensitive (n, m), labels (n, c) of 0 and 1, and utilities (n,) of encoded rows."""
    width = -(-len(layout.indicators) // 8)
    bits = np.unpackbits(rows[:, :width], axis=1, count=len(layout.indicators), bitorder="little")
    sensitive, labels = np.split(bits, [len(layout.sensitive)], axis=1)
    if layout.utility is None:
        utility = np.ones(len(rows))
    else:
        utility = np.ascontiguousarray(rows[:, width:]).view(np.float64)[:, 0]
    return sensitive, sparse.csr_array(labels, dtype=float), utility


def keys_of(batch: pa.RecordBatch, key: str | None, *, first_row: int) -> pa.Array:
    """The examples' keys: a column, or else their row numbers from 0."""
    if key is None:
        return pa.array(np.arange(first_row, first_row + batch.num_rows))
    column = _plain(batch.column(key))
    _check_present(column, key, first_row, hint="a key names its example")
    return column


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column


def _is_set(column: pa.Array, indicator: Indicator) -> np.ndarray:
    if indicator.value is not None:
        column = pc.equal(pc.cast(column, pa.string()), indicator.value)
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.is_in(pc.utf8_lower(column), value_set=pa.array(sorted(_SET_WORDS), column.type))
    elif not pa.types.is_boolean(column.type):
        column = pc.equal(column, 1)
    if column.null_count:
        column = column.fill_null(False)
    # Arrow's bits, unpacked by numpy: twenty times faster than Arrow's own conversion.
    bits = np.frombuffer(column.buffers()[1], dtype=np.uint8)
    return np.unpackbits(bits, count=column.offset + len(column), bitorder="little")[column.offset :]


def _utilities(column: pa.Array, name: str, first_row: int) -> np.ndarray:
    _check_present(column, name, first_row, hint="every example needs a utility")
    try:
        utility = pc.cast(_plain(column), pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"column {name!r}: utilities must be numbers: {_one_line(error)}") from None
    wrong = np.flatnonzero(~(np.isfinite(utility) & (utility > 0)))
    if len(wrong):
        raise UserError(
            f"column {name!r}: utility {utility[wrong[0]]} in row {first_row + wrong[0] + 1}: "
            "utilities must be greater than 0 (M4 divides by them)"
        )
    return np.ascontiguousarray(utility)


def _check_known(column: pa.Array, name: str, known: list[str | None]) -> None:
    """Raise on a value that the layout does not know: a shard may hold what the first ones did not."""
    if pa.types.is_boolean(column.type):
        return
    for value in pc.unique(column).to_pylist():
        if value is not None and not (_is_binary(value) if known == [None] else str(value) in known):
            expected = "0/1 or true/false" if known == [None] else ", ".join(known)
            raise UserError(f"column {name!r}: unknown value {value!r}: expected {expected}")


def _check_present(column: pa.Array, name: str, first_row: int, *, hint: str) -> None:
    if column.null_count:
        row = first_row + pc.index(pc.is_null(column), True).as_py() + 1
        raise UserError(f"column {name!r}: missing value in row {row}: fill or drop such rows; {hint}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
