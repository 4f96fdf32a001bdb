"""The files of weights and kept keys of tables, written in one pass."""

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfair.balance.key_column import datacomp_uids, shard_names, write_uids, written_key_type
from clipfair.balance.parquet_parts import ParquetParts
from clipfair.balance.processes import BatchProcesses
from clipfair.balance.table import AnnotationTable, TableBatch, batches_of, check_unique
from clipfair.balance.weigh import weigh_batch
from clipfair.balance.weigher import Weigher
from clipfair.balance.weighing_sums import WeighingSums, sums_of
from clipfair.core.errors import UserError, progress


@dataclass(frozen=True)
class _WrittenBatch:
    """Output for a batch of n examples: keys, sorted hashes, weights, keep decisions, and sums."""

    table: int
    keys: pa.Array
    hashes: np.ndarray
    weights: np.ndarray
    keep: np.ndarray
    sums: WeighingSums


def weigh_tables(
    tables: Sequence[AnnotationTable],
    weigher: Weigher,
    *,
    key: str | None,
    seed: int,
    folder: Path,
    per_shard: bool = False,
    uids: bool = False,
    processes: BatchProcesses | None = None,
) -> WeighingSums:
    """Write each example's weight, and the keys of the kept examples, into a folder.

    ``weights.parquet`` has the columns ``key`` and ``weight``, ``keep.parquet`` the column ``key``. Keys have
    the type of their column; in text files that hold nothing but whole numbers they are integers. Duplicate
    keys are an error; to find them, a hash of each key is kept in memory, 8 bytes for each example.

    Parameters
    ----------
    per_shard : write ``keep/<table>.parquet`` for each table, too.
    uids : write ``uids.npy``, too, as DataComp takes it; the keys must be its uids.
    """
    columns = list(dict.fromkeys([*weigher.layout.columns, *([] if key is None else [key])]))
    names = shard_names(tables) if per_shard else []
    key_type = written_key_type(tables, key)
    processes = BatchProcesses() if processes is None else processes
    weigh = partial(_weigh, weigher=weigher, key=key, key_type=key_type, seed=seed)
    sums, hashes = None, []
    with (
        _WeightFiles(folder, key_type, shards=names, uids=uids) as files,
        progress(batches_of(tables, columns), unit=" batches", what="weighing") as batches,
    ):
        for part in processes.map(weigh, batches):
            files.write(part)
            hashes.append(part.hashes)
            sums = part.sums if sums is None else sums + part.sums
        if sums is None:
            raise UserError("the tables have no rows: at least one example is needed")
        files.finish(len(tables))
        if key is not None:
            check_unique(tables, key, hashes, seed=seed)
    return sums


def _weigh(
    batch: TableBatch, *, weigher: Weigher, key: str | None, key_type: pa.DataType, seed: int
) -> _WrittenBatch:
    certain, layout = weigher.certain_weight, weigher.layout
    weighed = weigh_batch(batch, weigher.weigh, layout, key=key, max_weight=certain, seed=seed)
    return _WrittenBatch(
        table=batch.table,
        keys=pc.cast(weighed.keys, key_type),
        hashes=np.sort(weighed.hashes),
        weights=weighed.weights,
        keep=weighed.keep,
        sums=sums_of(weighed, layout, certain_weight=certain),
    )


class _WeightFiles:
    """The files of weights and kept keys in a folder, as :func:`weigh_tables` describes them."""

    def __init__(self, folder: Path, key_type: pa.DataType, *, shards: Sequence[str], uids: bool):
        self._folder, self._key_type = folder, key_type
        self._weights = ParquetParts(folder / "weights.parquet")
        self._kept = ParquetParts(folder / "keep.parquet")
        self._shards = iter(shards)
        self._opened, self._shard = 0, contextlib.ExitStack()
        self._kept_of_shard: ParquetParts | None = None
        self._uids: list[np.ndarray] | None = [] if uids else None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "_WeightFiles":
        for file in (self._weights, self._kept, self._shard):
            self._stack.enter_context(file)
        return self

    def __exit__(self, *error: object) -> bool | None:
        return self._stack.__exit__(*error)

    def write(self, part: _WrittenBatch) -> None:
        """Append a batch to all files."""
        self._open_shards(part.table + 1)
        kept = part.keys.filter(pa.array(part.keep))
        self._weights.write({"key": part.keys, "weight": part.weights})
        self._kept.write({"key": kept})
        if self._kept_of_shard is not None:
            self._kept_of_shard.write({"key": kept})
        if self._uids is not None:
            self._uids.append(datacomp_uids(kept))

    def finish(self, tables: int) -> None:
        """Write the keep-lists of shards without rows, and the uids, at the end."""
        self._open_shards(tables)
        if self._uids is not None:
            write_uids(self._folder / "uids.npy", np.concatenate(self._uids))

    def _open_shards(self, number: int) -> None:
        """Complete the keep-lists of earlier shards, and start the next ones, empty, up to a number."""
        for name in itertools.islice(self._shards, number - self._opened):
            self._shard.close()
            path = self._folder / "keep" / f"{name}.parquet"
            self._kept_of_shard = self._shard.enter_context(ParquetParts(path))
            self._kept_of_shard.write({"key": pa.array([], self._key_type)})
        self._opened = max(self._opened, number)
