"""Indicators: the 0/1 attributes that the columns of a table hold, and their encoding as bytes."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from clipfair.balance.table import check_present, one_line, plain_column
from clipfair.core.errors import UserError

_BINARY_WORDS = {"0", "1", "0.0", "1.0", "true", "false"}
_SET_WORDS = {"1", "1.0", "true"}
_SOFT_STEPS = 200


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
    """Assignment of the columns of a table to sensitive attributes, labels and utilities.

    ``missing`` decides whether an empty cell is an error, or sets no indicator. The columns in ``soft`` hold
    probabilities instead of 0 and 1; they are rounded to multiples of 1/200, so that equal examples can be
    counted together. ``utility_transform`` ``"exp"`` takes the column of utilities as their logarithms.
    """

    sensitive: tuple[Indicator, ...]
    labels: tuple[Indicator, ...]
    utility: str | None = None
    missing: Literal["error", "unset"] = "error"
    soft: tuple[str, ...] = ()
    utility_transform: Literal["none", "exp"] = "none"

    def __post_init__(self) -> None:
        if self.missing not in ("error", "unset") or self.utility_transform not in ("none", "exp"):
            raise UserError(f"missing is {self.missing!r} and the transform {self.utility_transform!r}")

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
        """The bytes of an encoded row: its indicators, one for each soft column, and 8 for a utility."""
        return self.indicator_bytes + len(self.soft) + 8 * (self.utility is not None)


def layout_values(layout: IndicatorLayout) -> dict:
    """The values of a layout for JSON, without those of the last two fields that are their defaults."""
    values, defaults = asdict(layout), {"soft": (), "utility_transform": "none"}
    return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}


def layout_from(values: dict) -> IndicatorLayout:
    """The layout from its values as :func:`layout_values` gives them."""
    parts = {name: tuple(Indicator(**part) for part in values[name]) for name in ("sensitive", "labels")}
    return IndicatorLayout(**(values | parts | {"soft": tuple(values.get("soft", ()))}))


def is_binary(value: object) -> bool:
    """True for 0, 1, false and true, also as text."""
    return value.lower() in _BINARY_WORDS if isinstance(value, str) else value in (0, 1)


def is_list(kind: pa.DataType) -> bool:
    """True for the types of list columns, whose cells hold any number of values."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def as_text(values: pa.Array) -> pa.Array:
    """Values as the text that names their indicators; a whole number has no decimal point."""
    return pc.cast(plain_column(values), pa.string())


def encode(batch: pa.RecordBatch, layout: IndicatorLayout, *, first_row: int = 0) -> np.ndarray:
    """Encode rows as bytes, equal for equal (s, y, u): 8 indicators a byte, a byte for each soft value, then
    the float of the utility.

    ``first_row`` is the row of the table at which the batch starts, for messages.
    """
    indicators, width = layout.indicators, layout.indicator_bytes
    rows = np.zeros((batch.num_rows, layout.width), dtype=np.uint8)
    columns = {}
    for name in dict.fromkeys(indicator.column for indicator in indicators):
        columns[name] = plain_column(batch.column(name))
        if name not in layout.soft:
            _check_known(columns[name], name, [i.value for i in indicators if i.column == name])
        if layout.missing == "error":
            check_present(
                columns[name], name, first_row, hint="or let them set no indicator (--missing unset)"
            )
    for byte in range(width):
        bits = np.zeros(batch.num_rows, dtype=np.uint8)
        for bit, indicator in enumerate(indicators[8 * byte : 8 * byte + 8]):
            if indicator.column not in layout.soft:
                bits |= _is_set(columns[indicator.column], indicator) << np.uint8(bit)
        rows[:, byte] = bits
    for place, name in enumerate(layout.soft, start=width):
        rows[:, place] = np.rint(_SOFT_STEPS * _probabilities(columns[name], name, first_row))
    if layout.utility is not None:
        utility = _utilities(batch.column(layout.utility), layout, first_row)
        rows[:, -8:] = utility[:, None].view(np.uint8)
    return rows


def decode(rows: np.ndarray, layout: IndicatorLayout) -> tuple[np.ndarray, sparse.csr_array, np.ndarray]:
    """Sensitive (n, m) and labels (n, c), 0, 1 or soft values, and utilities (n,) of encoded rows."""
    width = layout.indicator_bytes
    bits = np.unpackbits(rows[:, :width], axis=1, count=len(layout.indicators), bitorder="little")
    if layout.soft:
        bits = bits.astype(float)
        place = {name: rows[:, width + at] / _SOFT_STEPS for at, name in enumerate(layout.soft)}
        for at, indicator in enumerate(layout.indicators):
            if indicator.column in place:
                bits[:, at] = place[indicator.column]
    sensitive, labels = np.split(bits, [len(layout.sensitive)], axis=1)
    if layout.utility is None:
        utility = np.ones(len(rows))
    else:
        utility = np.ascontiguousarray(rows[:, -8:]).view(np.float64)[:, 0]
    return sensitive, sparse.csr_array(labels, dtype=float), utility


def _is_set(column: pa.Array, indicator: Indicator) -> np.ndarray:
    if is_list(column.type):
        bits = np.zeros(len(column), dtype=np.uint8)
        holds = pc.equal(as_text(pc.list_flatten(column)), indicator.value).fill_null(False)
        bits[pc.list_parent_indices(column).filter(holds).to_numpy()] = 1
        return bits
    if indicator.value is not None:
        column = pc.equal(as_text(column), indicator.value)
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.is_in(pc.utf8_lower(column), value_set=pa.array(sorted(_SET_WORDS), column.type))
    elif not pa.types.is_boolean(column.type):
        column = pc.equal(column, 1)
    if column.null_count:
        column = column.fill_null(False)
    # Arrow's bits, unpacked by numpy: twenty times faster than Arrow's own conversion.
    bits = np.frombuffer(column.buffers()[1], dtype=np.uint8)
    return np.unpackbits(bits, count=column.offset + len(column), bitorder="little")[column.offset :]


def _probabilities(column: pa.Array, name: str, first_row: int) -> np.ndarray:
    """A soft column, (n,), in [0, 1]; a missing value is 0."""
    try:
        values = pc.cast(column, pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"column {name!r}: probabilities must be numbers: {one_line(error)}") from None
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if len(wrong):
        raise UserError(
            f"column {name!r}: {values[wrong[0]]:g} in row {first_row + wrong[0] + 1}: a soft column "
            "must hold probabilities in [0, 1]"
        )
    return values


def _utilities(column: pa.Array, layout: IndicatorLayout, first_row: int) -> np.ndarray:
    """The utilities u > 0 of a column, (n,), of which ``exp`` makes u = exp(value)."""
    name = layout.utility
    check_present(plain_column(column), name, first_row, hint="every example needs a utility")
    try:
        values = pc.cast(plain_column(column), pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"column {name!r}: utilities must be numbers: {one_line(error)}") from None
    if layout.utility_transform == "exp":
        with np.errstate(over="ignore", under="ignore"):
            utility, remedy = (
                np.exp(values),
                "its exponential exceeds the range of floats: standardise the column",
            )
    else:
        utility, remedy = values, "M4 divides by it: give values greater than 0, or --utility-transform exp"
    wrong = np.flatnonzero(~(np.isfinite(utility) & (utility > 0)))
    if len(wrong):
        raise UserError(
            f"column {name!r}: utility {values[wrong[0]]:g} in row {first_row + wrong[0] + 1}: {remedy}"
        )
    return np.ascontiguousarray(utility)


def _check_known(column: pa.Array, name: str, known: list[str | None]) -> None:
    """Raise on a value without an indicator: a shard may hold values that the first ones did not."""
    if pa.types.is_boolean(column.type):
        return
    values = pc.list_flatten(column) if is_list(column.type) else column
    for value in pc.unique(values if known == [None] else as_text(values)).to_pylist():
        if value is not None and not (is_binary(value) if known == [None] else value in known):
            expected = "0/1 or true/false" if known == [None] else ", ".join(known)
            raise UserError(f"column {name!r}: unknown value {value!r}: expected {expected}")
