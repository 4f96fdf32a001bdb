"""Pattern counts, which are all that M4 needs to know about the data; counts of shards can be added."""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse

from clipfair.balance.indicators import IndicatorLayout, decode, encode, layout_from, layout_values
from clipfair.balance.processes import BatchProcesses
from clipfair.balance.table import AnnotationTable, TableBatch, batches_of, errors_in
from clipfair.core.errors import UserError, progress
from clipfair.core.io import atomic_path
from clipfair.m4.problem import Patterns, distinct_rows

_DECODE_ROWS = 1 << 16


@dataclass(frozen=True)
class PatternCounts:
    """Distinct encoded rows, (N, width) uint8, and how often each occurs, (N,)."""

    layout: IndicatorLayout
    rows: np.ndarray
    count: np.ndarray

    def patterns(self) -> Patterns:
        """The patterns as M4 takes them, decoded in pieces to save memory."""
        if len(self.rows) == 0:
            raise UserError("the tables have no rows: at least one example is needed")
        pieces = [
            decode(self.rows[start : start + _DECODE_ROWS], self.layout)
            for start in range(0, len(self.rows), _DECODE_ROWS)
        ]
        sensitive, labels, utility = zip(*pieces, strict=True)
        return Patterns(
            sensitive=np.vstack(sensitive),
            labels=sparse.vstack(labels, format="csr"),
            utility=np.concatenate(utility),
            count=self.count,
        )

    def in_layout(self, layout: IndicatorLayout) -> "PatternCounts":
        """The same counts by the indicators of another layout; those of further values of a text column
        are not set.

        Raises
        ------
        UserError
            If a binary column of ``layout`` was not counted.
        """
        if layout == self.layout:
            return self
        place = {indicator: at for at, indicator in enumerate(self.layout.indicators)}
        for indicator in layout.indicators:
            if indicator.value is None and indicator not in place:
                raise UserError(
                    f"no column {indicator.column!r} in some of the shards: annotate all shards alike"
                )
        counted = np.unpackbits(self.rows, axis=1, count=len(self.layout.indicators), bitorder="little")
        unset = np.zeros(len(self.rows), dtype=np.uint8)
        bits = [counted[:, place[i]] if i in place else unset for i in layout.indicators]
        rows = np.packbits(np.stack(bits, axis=1), axis=1, bitorder="little")
        return PatternCounts(layout, rows, self.count)


def merge(parts: Iterable[PatternCounts]) -> PatternCounts:
    """Add the counts of disjoint parts of the data, at least one, which must share one layout.

    Patterns are in order of first appearance. Memory is proportional to the number of distinct patterns.
    """
    # Waiting parts are merged once they hold more rows than the merged ones: so every row is moved a bounded
    # number of times.
    merged, waiting, rows = None, [], 0
    for part in parts:
        waiting.append(part)
        rows += len(part.count)
        if merged is None or rows > len(merged.count):
            merged, waiting, rows = _add(waiting if merged is None else [merged, *waiting]), [], 0
    return _add([merged, *waiting])


def _add(parts: list[PatternCounts]) -> PatternCounts:
    layout = parts[0].layout
    if any(part.layout != layout for part in parts):
        raise UserError("pattern counts of different columns cannot be added: count all shards by one layout")
    rows, index = distinct_rows(np.concatenate([part.rows for part in parts]))
    count = np.bincount(index, weights=np.concatenate([part.count for part in parts]))
    return PatternCounts(layout, rows, count.astype(np.int64))


def count_batch(batch: TableBatch, *, layout: IndicatorLayout) -> PatternCounts:
    """Count the patterns of a batch."""
    with errors_in(batch.path):
        encoded = encode(batch.columns, layout, first_row=batch.first_row)
    rows, index = distinct_rows(encoded)
    return PatternCounts(layout, rows.copy(), np.bincount(index, minlength=len(rows)))


def count_tables(
    tables: Sequence[AnnotationTable], layout: IndicatorLayout, *, processes: BatchProcesses | None = None
) -> PatternCounts:
    """Count the patterns of tables in one pass; none if the tables give no rows."""
    none = PatternCounts(layout, np.zeros((0, layout.width), dtype=np.uint8), np.zeros(0, dtype=np.int64))
    processes = BatchProcesses() if processes is None else processes
    count = partial(count_batch, layout=layout)
    with progress(batches_of(tables, layout.columns), unit=" batches", what="counting patterns") as batches:
        return merge(itertools.chain([none], processes.map(count, batches)))


def write_counts(path: str | Path, counts: PatternCounts) -> None:
    """Write counts as a file of numpy."""
    layout = json.dumps(layout_values(counts.layout))
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, layout=layout, rows=counts.rows, count=counts.count)


def read_counts(path: str | Path) -> PatternCounts:
    """Read a file of :func:`write_counts`."""
    with np.load(path) as content:
        return PatternCounts(read_layout(path), content["rows"], content["count"])


def read_layout(path: str | Path) -> IndicatorLayout:
    """Read the layout of a file of :func:`write_counts` alone."""
    with np.load(path) as content:
        return layout_from(json.loads(str(content["layout"])))


def check_varied(counts: PatternCounts, patterns: Patterns) -> None:
    """Raise if an indicator is the same for every example, so that nothing can be balanced by it."""
    sensitive = patterns.count @ patterns.sensitive
    labels = patterns.labels.T @ patterns.count
    for indicator, total in zip(counts.layout.indicators, [*sensitive, *labels], strict=True):
        if total in (0, patterns.examples):
            state = "never" if total == 0 else "always"
            raise UserError(
                f"{indicator.name!r} is {state} set: leave out what is constant, nothing can balance it"
            )
