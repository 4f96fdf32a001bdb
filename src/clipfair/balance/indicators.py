"""Indicators: the 0/1 attributes that the columns of a table hold, and their encoding as bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from clipfair.balance.table import AnnotationTable, check_present, one_line, plain_column
from clipfair.core.errors import UserError

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
class IndicatorLayout:
    """How a table's columns become sensitive attributes, labels and utilities.

    ``missing`` decides whether an empty cell is an error, or sets no indicator.
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
    def indicator_bytes(self) -> int:
        """The bytes of a row's indicators, 8 indicators a byte."""
        return -(-len(self.indicators) // 8)

    @property
    def width(self) -> int:
        """The bytes of an encoded row: its indicators, then the float of its utility if there is one."""
        return self.indicator_bytes + 8 * (self.utility is not None)


def layout_from(values: dict) -> IndicatorLayout:
    """The layout from its values as ``dataclasses.asdict`` gives them."""
    parts = {name: tuple(Indicator(**part) for part in values[name]) for name in ("sensitive", "labels")}
    return IndicatorLayout(**(values | parts))


def infer_layout(
    table: AnnotationTable,
    *,
    sensitive: Sequence[str],
    labels: Sequence[str],
    utility: str | None = None,
    missing: Literal["error", "unset"] = "error",
) -> IndicatorLayout:
    """Decide from a table's values which indicators its columns hold.

    A column of booleans, or of 0 and 1, is one indicator; a column of text is one for each of its
    values, in alphabetical order. Other numbers are refused: they have to be cut into categories.
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
            values[name].update(pc.unique(plain_column(batch.column(name))).to_pylist())
            if len(values[name]) > _MAX_CATEGORIES:
                raise UserError(
                    f"{table.path}: column {name!r} has more than {_MAX_CATEGORIES} values: "
                    "expected 0/1, true/false, or text with few categories"
                )
    return IndicatorLayout(
        sensitive=tuple(i for name in sensitive for i in _indicators(table, name, values[name] - {None})),
        labels=tuple(i for name in labels for i in _indicators(table, name, values[name] - {None})),
        utility=utility,
        missing=missing,
    )


def _indicators(table: AnnotationTable, name: str, values: set) -> list[Indicator]:
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


def encode(batch: pa.RecordBatch, layout: IndicatorLayout, *, first_row: int = 0) -> np.ndarray:
    """Encode rows as bytes, equal for equal (s, y, u): 8 indicators a byte, then the float of the utility.

    ``first_row`` is the row of the table at which the batch starts, for messages.
    """
    indicators, width = layout.indicators, layout.indicator_bytes
    rows = np.zeros((batch.num_rows, layout.width), dtype=np.uint8)
    columns = {}
    for name in dict.fromkeys(indicator.column for indicator in indicators):
        columns[name] = plain_column(batch.column(name))
        _check_known(columns[name], name, [i.value for i in indicators if i.column == name])
        if layout.missing == "error":
            check_present(
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


def decode(rows: np.ndarray, layout: IndicatorLayout) -> tuple[np.ndarray, sparse.csr_array, np.ndarray]:
    """Sensitive (n, m), labels (n, c) of 0 and 1, and utilities (n,) of encoded rows."""
    width = layout.indicator_bytes
    bits = np.unpackbits(rows[:, :width], axis=1, count=len(layout.indicators), bitorder="little")
    sensitive, labels = np.split(bits, [len(layout.sensitive)], axis=1)
    if layout.utility is None:
        utility = np.ones(len(rows))
    else:
        utility = np.ascontiguousarray(rows[:, width:]).view(np.float64)[:, 0]
    return sensitive, sparse.csr_array(labels, dtype=float), utility


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
    check_present(column, name, first_row, hint="every example needs a utility")
    try:
        utility = pc.cast(plain_column(column), pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"column {name!r}: utilities must be numbers: {one_line(error)}") from None
    wrong = np.flatnonzero(~(np.isfinite(utility) & (utility > 0)))
    if len(wrong):
        raise UserError(
            f"column {name!r}: utility {utility[wrong[0]]} in row {first_row + wrong[0] + 1}: "
            "utilities must be greater than 0 (M4 divides by them)"
        )
    return np.ascontiguousarray(utility)


def _check_known(column: pa.Array, name: str, known: list[str | None]) -> None:
    """Raise on a value without an indicator: a shard may hold values that the first ones did not."""
    if pa.types.is_boolean(column.type):
        return
    for value in pc.unique(column).to_pylist():
        if value is not None and not (_is_binary(value) if known == [None] else str(value) in known):
            expected = "0/1 or true/false" if known == [None] else ", ".join(known)
            raise UserError(f"column {name!r}: unknown value {value!r}: expected {expected}")
