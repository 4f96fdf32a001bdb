"""The layout of tables: which indicators their columns hold, decided by their types and values."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from clipfair.balance.indicators import Indicator, IndicatorLayout, as_text, is_binary, is_list
from clipfair.balance.processes import BatchProcesses
from clipfair.balance.table import AnnotationTable, TableBatch, batches_of, plain_column
from clipfair.balance.table_files import MISSING_MARKS
from clipfair.core.errors import UserError, progress

_MAX_CATEGORIES = 1000


def infer_layout(
    tables: Sequence[AnnotationTable],
    *,
    sensitive: Sequence[str],
    labels: Sequence[str] = (),
    utility: str | None = None,
    utility_transform: Literal["none", "exp"] = "none",
    missing: Literal["error", "unset"] = "error",
    categories: Sequence[str] = (),
    soft: Sequence[str] = (),
    processes: BatchProcesses | None = None,
) -> IndicatorLayout:
    """Decide from the values of tables of the same columns which indicators their columns hold.

    A column of booleans, or of 0 and 1, is one indicator; a column of text is one for each of its
    values, in alphabetical order; a column of lists is one for each value in any of its lists. Other numbers
    are refused unless the column is named in one of the following.

    Parameters
    ----------
    categories : columns of integer codes, which are one indicator for each code.
    soft : columns of probabilities, which are one indicator each.
    """
    named = [*sensitive, *labels]
    for table in tables:
        table.check_columns([*named, *([] if utility is None else [utility])])
    _check_named(named, categories=categories, soft=soft)
    for table in tables:
        for name in named:
            _check_type(table, name)
    _check_same_kinds(tables, named)
    lists = {name for name in named if any(is_list(table.types[name]) for table in tables)}
    booleans = {name for name in named if all(name in table.booleans for table in tables)}
    read = [name for name in named if name in categories or name not in (*booleans, *soft)]
    values = _values_of(tables, read, BatchProcesses() if processes is None else processes)

    for name in categories:
        _check_codes(tables[0], name, values[name])

    def indicators(names: Sequence[str]) -> tuple[Indicator, ...]:
        found: list[Indicator] = []
        for name in names:
            if name not in read:
                found.append(Indicator(name))
                continue
            several = name in categories or name in lists
            found += _indicators(tables[0], name, values[name], several=several)
        return tuple(found)

    return IndicatorLayout(
        indicators(sensitive), indicators(labels), utility, missing, tuple(soft), utility_transform
    )


def _check_named(named: Sequence[str], *, categories: Sequence[str], soft: Sequence[str]) -> None:
    for name in named:
        if named.count(name) > 1:
            raise UserError(f"column {name!r} is named twice: a column is either sensitive or a label, once")
    for option, names in (("categories", categories), ("soft", soft)):
        for name in names:
            if name not in named:
                raise UserError(f"--{option} names {name!r}, which is neither among --sensitive nor --labels")
    if both := set(categories) & set(soft):
        raise UserError(f"column {min(both)!r} holds either categories or soft values: name it once")


def _check_type(table: AnnotationTable, name: str) -> None:
    kind = table.types[name]
    inner = kind.value_type if is_list(kind) or pa.types.is_dictionary(kind) else kind
    checks = ("boolean", "integer", "floating", "string", "large_string", "null")
    if not any(getattr(pa.types, f"is_{check}")(inner) for check in checks):
        raise UserError(
            f"{table.path}: column {name!r} holds {kind}: expected 0/1, true/false, text, or lists of text; "
            "turn it into named categories first"
        )


def _check_same_kinds(tables: Sequence[AnnotationTable], names: Sequence[str]) -> None:
    """Raise if a column is text in one parquet file and numbers or lists in another.

    Text files hold no types, so they fit to any.
    """
    first: dict[str, tuple[str, AnnotationTable]] = {}
    for table in tables:
        for name in names if table.kind == "parquet" else ():
            kind = _kind(table.types[name])
            if kind is None:
                continue
            known, where = first.setdefault(name, (kind, table))
            if kind != known:
                raise UserError(
                    f"column {name!r} holds {known} in {where.path} and {kind} in {table.path}: give it one "
                    "type in all files"
                )


def _kind(kind: pa.DataType) -> str | None:
    """Lists, text or numbers (also true/false); None if all values are missing."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_null(kind):
        return None
    if is_list(kind):
        return "lists"
    return "text" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else "numbers"


def _values_of(
    tables: Sequence[AnnotationTable], columns: Sequence[str], processes: BatchProcesses
) -> dict[str, set]:
    """The distinct values of the columns over all tables, without missing ones."""
    values: dict[str, set] = {name: set() for name in columns}
    if not columns:
        return values
    with progress(batches_of(tables, columns), unit=" batches", what="reading values") as batches:
        for path, found in processes.map(_distinct_values, batches):
            for name in columns:
                values[name].update(found[name])
                if len(values[name]) > _MAX_CATEGORIES:
                    raise UserError(
                        f"{path}: column {name!r} has more than {_MAX_CATEGORIES} values: "
                        "expected 0/1, true/false, or text with few categories"
                    )
    return values


def _distinct_values(batch: TableBatch) -> tuple[Path, dict[str, list]]:
    """The file of a batch, and the distinct values of each column, at most one more than it may have."""
    found = {}
    for name, column in zip(batch.columns.schema.names, batch.columns.columns, strict=True):
        column = plain_column(column)
        if is_list(column.type):
            column = as_text(pc.list_flatten(column))
        found[name] = pc.unique(column).drop_null()[: _MAX_CATEGORIES + 1].to_pylist()
    return batch.path, found


def _check_codes(table: AnnotationTable, name: str, values: set) -> None:
    """Raise unless the values of a column in --categories are whole numbers."""
    for value in sorted(values, key=str):
        if isinstance(value, bool) or not (_is_number(value) and float(value).is_integer()):
            raise UserError(
                f"{table.path}: column {name!r} holds {value!r}: --categories is for integer codes; text and "
                "true/false need no option"
            )


def _indicators(table: AnnotationTable, name: str, values: set, *, several: bool) -> list[Indicator]:
    """The indicators of a column: one for each value if there can be ``several``."""
    if several and not values:
        raise UserError(f"{table.path}: column {name!r} holds no value: leave it out")
    if not several and all(is_binary(value) for value in values):
        return [Indicator(name)]
    if not several and all(_is_number(value) for value in values):
        some = ", ".join(str(value) for value in sorted(values, key=float)[:3])
        raise UserError(
            f"{table.path}: column {name!r} holds numbers ({some}, ...), expected 0/1 or text: cut "
            "them into named categories first, or name the column in --categories (integer codes) or --soft "
            "(probabilities)"
        )
    return [Indicator(name, value) for value in sorted(set(map(_text, values)))]


def _text(value: object) -> str:
    """The text of a value, as :func:`~clipfair.balance.indicators.as_text` gives it."""
    return as_text(pa.array([value]))[0].as_py()


def _is_number(value: object) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def suspicious_values(layout: IndicatorLayout) -> list[str]:
    """Remarks on values that may be meant as one, or as none.

    These are values of a column that differ only in case or surrounding spaces, and words for a missing value
    in a file that does not mark them as missing.
    """
    remarks, alike = [], defaultdict(list)
    for indicator in layout.indicators:
        if indicator.value is None:
            continue
        alike[indicator.column, _letters(indicator.value)].append(indicator.value)
        if indicator.value.strip() in MISSING_MARKS:
            remarks.append(
                f"column {indicator.column!r}: the value {indicator.value!r} is a group of its own; if it "
                "means missing, remove it"
            )
    for (column, _), values in alike.items():
        if len(values) > 1:
            listed = ", ".join(map(repr, values))
            remarks.append(
                f"column {column!r}: {listed} are separate groups, but differ only by case or spaces"
            )
    return remarks


def _letters(value: str) -> str:
    """A value without case, surrounding spaces, and characters that are not shown."""
    return "".join(filter(str.isprintable, value)).strip().casefold()
