"""Weights and decisions to keep for the examples of tables, in one pass."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfair.balance.indicators import IndicatorLayout, decode, encode
from clipfair.balance.key_column import datacomp_uids, shard_names, written_key_type
from clipfair.balance.parquet_parts import ParquetParts
from clipfair.balance.table import AnnotationTable, check_unique, keys_of
from clipfair.balance.weigher import Weigher
from clipfair.core.errors import progress
from clipfair.core.keys import hash_keys, key_texts
from clipfair.m4 import sampling
from clipfair.m4.bias import Moments, moments
from clipfair.m4.problem import distinct_rows

# From a batch, its distinct encoded rows (N, width) and each example's index among them (n,): weights (n,).
WeightFunction = Callable[[pa.RecordBatch, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class WeighedBatch:
    """A batch of n examples with their weights.

    Attributes
    ----------
    batch : the columns that were read.
    rows : (N, width) distinct encoded rows.
    index : (n,) each example's index among the rows.
    weights : (n,) in [0, Q].
    keys : (n) keys of the examples.
    hashes : (n,) hashes of the keys.
    keep : (n,) bool, the sampled examples.
    variance : variance of the number of sampled examples, given the weights.
    """

    batch: pa.RecordBatch
    rows: np.ndarray
    index: np.ndarray
    weights: np.ndarray
    keys: pa.Array
    hashes: np.ndarray
    keep: np.ndarray
    variance: float


def weigh_batches(
    table: AnnotationTable,
    weigh: WeightFunction,
    layout: IndicatorLayout,
    *,
    columns: Sequence[str],
    key: str | None,
    max_weight: float,
    seed: int,
    first_row: int = 0,
) -> Iterator[WeighedBatch]:
    """Weigh and sample a table batch by batch.

    An example is kept with probability min(1, q / max_weight) by a hash of its key and the seed. Without a
    key column the key is the row number, from ``first_row``.
    """
    for batch in table.batches(list(columns)):
        rows, index = distinct_rows(encode(batch, layout, first_row=first_row))
        weights = weigh(batch, rows, index)
        keys = keys_of(batch, key, first_row=first_row)
        hashes = hash_keys(key_texts(keys), seed=seed)
        keep = sampling.keep(hashes, weights, max_weight=max_weight)
        probability = np.minimum(weights / max_weight, 1)
        variance = float(probability @ (1 - probability))
        yield WeighedBatch(batch, rows, index, weights, keys, hashes, keep, variance)
        first_row += batch.num_rows


@dataclass
class WeighingSums:
    """Sums over the examples of weighed tables.

    Attributes
    ----------
    versions : moments before, after (weighted) and in the sample (kept), by name.
    examples : rows read.
    variance : variance of the number of examples kept, given the weights.
    squares : the sum of squared weights.
    largest : the largest weight.
    exceeding : examples with a weight above the one at which an example is certainly kept.
    """

    versions: dict[str, Moments] = field(default_factory=dict)
    examples: int = 0
    variance: float = 0.0
    squares: float = 0.0
    largest: float = 0.0
    exceeding: int = 0

    @property
    def effective_examples(self) -> float:
        """Kish's effective sample size of the weights, (sum q)^2 / sum q^2; 0 without any weight."""
        return self.versions["after"].total ** 2 / self.squares if self.squares else 0.0

    def add(self, part: WeighedBatch, layout: IndicatorLayout, *, certain_weight: float) -> None:
        """Add a batch."""
        sensitive, labels, _ = decode(part.rows, layout)
        weightings = {"before": None, "after": part.weights, "sample": part.keep.astype(float)}
        for name, weighting in weightings.items():
            by_pattern = np.bincount(part.index, weights=weighting, minlength=len(part.rows))
            data = moments(sensitive, labels, by_pattern.astype(float))
            self.versions[name] = self.versions[name] + data if name in self.versions else data
        self.examples += len(part.weights)
        self.variance += part.variance
        self.squares += float(part.weights @ part.weights)
        self.largest = max(self.largest, float(part.weights.max()))
        self.exceeding += int((part.weights > certain_weight * (1 + 1e-9)).sum())


def weigh_tables(
    tables: Sequence[AnnotationTable],
    weigher: Weigher,
    *,
    key: str | None,
    seed: int,
    folder: Path,
    per_shard: bool = False,
    uids: bool = False,
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
    layout, certain = weigher.layout, weigher.certain_weight
    columns = list(dict.fromkeys([*layout.columns, *([] if key is None else [key])]))
    names = shard_names(tables) if per_shard else [None] * len(tables)
    sums, hashes = WeighingSums(), []
    with _WeightFiles(folder, written_key_type(tables, key), uids=uids) as files:
        for table, name in zip(tables, names, strict=True):
            batches = weigh_batches(
                table,
                weigher.weigh,
                layout,
                columns=columns,
                key=key,
                max_weight=certain,
                seed=seed,
                first_row=sums.examples if key is None else 0,
            )
            with files.shard(name), progress(batches, unit=" batches", what="weighing") as parts:
                for part in parts:
                    hashes.append(np.sort(part.hashes))
                    files.write(part)
                    sums.add(part, layout, certain_weight=certain)
        if key is not None:
            check_unique(tables, key, hashes, seed=seed)
    return sums


class _WeightFiles:
    """The files of weights and kept keys in a folder, as :func:`weigh_tables` describes them."""

    def __init__(self, folder: Path, key_type: pa.DataType, *, uids: bool):
        self._folder, self._key_type, self._with_uids = folder, key_type, uids
        self._weights = ParquetParts(folder / "weights.parquet")
        self._kept = [ParquetParts(folder / "keep.parquet")]
        self._uids: list[np.ndarray] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "_WeightFiles":
        for file in (self._weights, *self._kept):
            self._stack.enter_context(file)
        return self

    def __exit__(self, *error: object) -> bool | None:
        if self._uids and error[0] is None:
            np.save(self._folder / "uids.npy", np.sort(np.concatenate(self._uids)))
        return self._stack.__exit__(*error)

    @contextlib.contextmanager
    def shard(self, name: str | None) -> Iterator[None]:
        """Within the block the kept keys are also written to the keep-list of a shard, if it has a name."""
        if name is None:
            yield
            return
        with ParquetParts(self._folder / "keep" / f"{name}.parquet") as file:
            file.write({"key": pa.array([], self._key_type)})
            self._kept.append(file)
            yield
            self._kept.pop()

    def write(self, part: WeighedBatch) -> None:
        """Append a batch to all files."""
        keys = pc.cast(part.keys, self._key_type)
        kept = keys.filter(pa.array(part.keep))
        self._weights.write({"key": keys, "weight": part.weights})
        for file in self._kept:
            file.write({"key": kept})
        if self._with_uids:
            self._uids.append(datacomp_uids(kept))
