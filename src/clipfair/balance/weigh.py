"""Weights and the keep-list of one table (or shard), in one pass."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet as pq

from clipfair.balance.fit import Weigher
from clipfair.balance.table import Table, encode, keys_of
from clipfair.core.errors import UserError, progress
from clipfair.core.io import atomic_path
from clipfair.core.keys import hash_keys
from clipfair.m4 import sampling
from clipfair.m4.bias import Moments, moments
from clipfair.m4.problem import distinct_rows


@dataclass(frozen=True)
class Weighed:
    """What came out of weighing; that of shards adds up.

    Attributes
    ----------
    examples : rows read.
    variance : variance of the number of examples kept, given the weights.
    kept : moments of the kept examples; None if the weights have no maximum and nothing is sampled.
    """

    examples: int
    variance: float
    kept: Moments | None


def weigh_table(
    table: Table, weigher: Weigher, *, key: str | None, seed: int, weights_path: Path, keep_path: Path
) -> Weighed:
    """Write each example's weight, and the keys of those to keep.

    ``weights_path`` gets the columns ``key`` and ``weight``, ``keep_path`` (unless the weights have
    no maximum) the column ``key``. Without a key column the key is the row number, from 0. An
    example is kept with probability q / Q by a hash of its key and the seed. Duplicate keys are an
    error; to find them a hash of each key is held in memory, 8 bytes an example.
    """
    columns = list(dict.fromkeys([*weigher.layout.columns, *([] if key is None else [key])]))
    limit = weigher.settings.max_weight
    sampled = bool(np.isfinite(limit))
    hashes, kept, examples, variance = [], None, 0, 0.0
    with contextlib.ExitStack() as stack:
        weights_file = stack.enter_context(ParquetParts(weights_path))
        keep_file = stack.enter_context(ParquetParts(keep_path)) if sampled else None
        batches = stack.enter_context(progress(table.batches(columns), unit=" batches", what="weighing"))
        for batch in batches:
            rows, index = distinct_rows(encode(batch, weigher.layout, first_row=examples))
            sensitive, labels, weights = weigher.weigh_patterns(rows)
            keys = keys_of(batch, key, first_row=examples)
            hashes.append(hash_keys(key_texts(keys), seed=seed))
            weights_file.write({"key": keys, "weight": weights[index]})
            examples += batch.num_rows
            if sampled:
                keep = sampling.keep(hashes[-1], weights[index], max_weight=limit)
                keep_file.write({"key": keys.filter(pa.array(keep))})
                chance = weights / limit
                variance += float((chance * (1 - chance)) @ np.bincount(index, minlength=len(rows)))
                part = moments(sensitive, labels, np.bincount(index[keep], minlength=len(rows)))
                kept = part if kept is None else kept + part
        if key is not None:
            check_unique([table], key, np.concatenate(hashes), seed=seed)
    if not sampled:
        keep_path.unlink(missing_ok=True)  # of an earlier run into the same folder
    return Weighed(examples, variance, kept)


class ParquetParts:
    """A parquet file that appears, whole, when the block ends well; its schema is the first part's."""

    def __init__(self, path: Path):
        self._stack, self._path, self._writer = contextlib.ExitStack(), path, None

    def __enter__(self) -> "ParquetParts":
        self._temporary = self._stack.enter_context(atomic_path(self._path))
        return self

    def write(self, columns: dict) -> None:
        """Append rows."""
        part = pa.table(columns)
        if self._writer is None:
            self._writer = self._stack.enter_context(pq.ParquetWriter(self._temporary, part.schema))
        self._writer.write_table(part)

    def __exit__(self, *error: object) -> bool | None:
        return self._stack.__exit__(*error)


def key_texts(keys: pa.Array) -> np.ndarray:
    """Keys as the strings that are hashed, (n,)."""
    return pc.cast(keys, pa.string()).to_numpy(zero_copy_only=False)


def check_unique(tables: Sequence[Table], key: str, hashes: np.ndarray, *, seed: int) -> None:
    """Raise if a key occurs twice. Equal hashes only tell which keys to compare."""
    hashes = np.sort(hashes)
    suspects = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    if len(suspects) == 0:
        return
    seen: dict[str, str] = {}
    for table in tables:
        first_row = 0
        for batch in table.batches([key]):
            keys = key_texts(keys_of(batch, key, first_row=first_row))
            for at in np.flatnonzero(np.isin(hash_keys(keys, seed=seed), suspects)):
                place = f"row {first_row + at + 1} of {table.path}"
                if keys[at] in seen:
                    raise UserError(
                        f"key {keys[at]!r} ({key}) is in {seen[keys[at]]} and in {place}: "
                        "keys must be unique, since sampling and keep-lists go by them"
                    )
                seen[keys[at]] = place
            first_row += batch.num_rows
