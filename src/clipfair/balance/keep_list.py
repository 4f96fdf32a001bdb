"""The keep-list of a condition: which keys of each shard are kept, and with which caption."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet as pq

from clipfair.balance.indicators import decode
from clipfair.balance.parquet_parts import ParquetParts
from clipfair.balance.solved_condition import SolvedCondition
from clipfair.balance.table import AnnotationTable, batches_of
from clipfair.balance.weigh import WeighedBatch, weigh_batch
from clipfair.balance.weight_rules import columns_of, read_numbers, weight_function
from clipfair.core.errors import UserError, progress
from clipfair.m4.bias import Moments, moments

VERSIONS = ("before", "after", "sample")


@dataclass(frozen=True)
class KeepListSums:
    """Sums over the examples of all shards, for the audit.

    Attributes
    ----------
    versions : moments before, after (weighted) and in the sample (kept).
    humans : weight of the examples with humans in each version; empty if some annotations have none.
    variance : variance of the number of examples kept, given the weights.
    """

    versions: dict[str, Moments]
    humans: dict[str, float]
    variance: float


@dataclass(frozen=True)
class SampledTables:
    """Results of sampling from some tables.

    Attributes
    ----------
    hashes : (n,) uint64 hashes of all keys, ascending.
    sums : (batches, 4 + 3 (1 + m + c + m c)) of each batch: the variance, the humans of each version (NaN
        without the column), and the moments of each version, flat. Sums of floats depend on their order: that
        of the batches gives the same result for any groups of shards.
    """

    hashes: np.ndarray
    sums: np.ndarray


def write_keep_list(
    tables: Sequence[AnnotationTable],
    solved: SolvedCondition,
    *,
    seed: int,
    keep_path: str | Path,
    rewritten: Sequence[str | Path] | None,
) -> SampledTables:
    """Write the keep-list of tables in one pass over them.

    Its columns are ``key``, ``shard`` (the table's name without suffix) and, with ``rewritten`` captions,
    ``text``.
    """
    weigh = weight_function(solved.kind, solved.settings, solved.rule)
    hashes, sums = [np.zeros(0, dtype=np.uint64)], []
    with ParquetParts(Path(keep_path)) as keep_list:
        for number, table in enumerate(progress(tables, unit=" shards", what="sampling")):
            table.check_columns(["key"])
            captions = None if rewritten is None else _RewrittenCaptions(rewritten[number])
            human = ["human"] if "human" in table.booleans else []
            columns = dict.fromkeys(["key", *solved.layout.columns, *columns_of(solved.kind), *human])
            for batch in batches_of([table], list(columns)):
                part = weigh_batch(
                    batch, weigh, solved.layout, key="key", max_weight=solved.rule.max_weight, seed=seed
                )
                keep_list.write(_kept_rows(part, table.path.stem, captions))
                hashes.append(part.hashes)
                sums.append(_batch_sums(part, solved))
        if not sums:
            keep_list.write({"key": pa.array([], pa.string()), "shard": pa.array([], pa.string())})
    return SampledTables(np.sort(np.concatenate(hashes)), np.array(sums))


def _kept_rows(part: WeighedBatch, shard: str, captions: "_RewrittenCaptions | None") -> dict:
    kept = pc.cast(part.keys, pa.string()).filter(pa.array(part.keep))
    rows = {"key": kept, "shard": pa.repeat(pa.scalar(shard), len(kept))}
    return rows if captions is None else rows | {"text": captions.of(kept)}


def _batch_sums(part: WeighedBatch, solved: SolvedCondition) -> np.ndarray:
    """One row of :attr:`SampledTables.sums`."""
    n = len(part.weights)
    has_humans = "human" in part.batch.schema.names
    humans = read_numbers(part.batch, "human") if has_humans else np.full(n, np.nan)
    sensitive, labels, _ = decode(part.rows, solved.layout)
    weightings = (np.ones(n), part.weights, part.keep.astype(float))
    values = [part.variance, *(weighting @ humans for weighting in weightings)]
    for weighting in weightings:
        by_pattern = np.bincount(part.index, weights=weighting, minlength=len(part.rows))
        data = moments(sensitive, labels, by_pattern)
        values += [data.total, *data.groups, *data.labels, *data.joint.ravel()]
    return np.array(values)


def add_sums(batches: Iterable[np.ndarray], solved: SolvedCondition) -> KeepListSums:
    """Add the sums of all batches in their order."""
    total = np.zeros(1)
    for sums in batches:
        total = total + sums
    m, c = len(solved.layout.sensitive), len(solved.layout.labels)
    variance, humans, flat = total[0], total[1:4], total[4:].reshape(len(VERSIONS), -1)
    versions = {}
    for version, values in zip(VERSIONS, flat, strict=True):
        whole, groups, labels, joint = np.split(values, [1, 1 + m, 1 + m + c])
        versions[version] = Moments(float(whole[0]), groups, labels, joint.reshape(m, c))
    return KeepListSums(
        versions=versions,
        humans={} if np.isnan(humans).any() else dict(zip(VERSIONS, humans.tolist(), strict=True)),
        variance=float(variance),
    )


def join_keep_lists(parts: Sequence[str | Path], keep_path: str | Path) -> None:
    """Write the keep-lists of groups of shards, in their order, as one."""
    with ParquetParts(Path(keep_path)) as keep_list:
        for path in parts:
            with pq.ParquetFile(path) as part:
                for number in range(part.num_row_groups):
                    rows = part.read_row_group(number)
                    keep_list.write(dict(zip(rows.column_names, rows.columns, strict=True)))


class _RewrittenCaptions:
    """The rewritten captions of one shard."""

    def __init__(self, path: str | Path):
        self._path = path
        table = AnnotationTable(path)
        table.check_columns(["key", "text"])
        read = pa.Table.from_batches(table.batches(["key", "text"]))
        self._keys = pc.cast(read["key"], pa.string()).combine_chunks()
        self._texts = pc.cast(read["text"], pa.string()).combine_chunks()
        if pc.count_distinct(self._keys).as_py() < len(self._keys):
            raise UserError(f"{path}: a key occurs twice: expected one rewritten caption for each example")

    def of(self, keys: pa.Array) -> pa.Array:
        """The caption of each key."""
        texts = self._texts.take(pc.index_in(keys, value_set=self._keys))
        if texts.null_count:
            lost = keys[pc.index(pc.is_null(texts), True).as_py()]
            raise UserError(
                f"{self._path}: no rewritten caption for key {lost.as_py()!r}: rewrite the whole shard"
            )
        return texts
