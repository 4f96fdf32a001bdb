"""Weights and decisions to keep for the examples of a table, in one pass."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from clipfair.balance.indicators import IndicatorLayout, decode, encode
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
    keep : (n,) bool, the sampled examples; None if the weights have no maximum and nothing is sampled.
    variance : variance of the number of sampled examples, given the weights.
    """

    batch: pa.RecordBatch
    rows: np.ndarray
    index: np.ndarray
    weights: np.ndarray
    keys: pa.Array
    hashes: np.ndarray
    keep: np.ndarray | None
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
) -> Iterator[WeighedBatch]:
    """Weigh and sample a table batch by batch.

    An example is kept with probability q / Q by a hash of its key and the seed. Without a key column the key
    is the row number, from 0.
    """
    first_row = 0
    for batch in table.batches(list(columns)):
        rows, index = distinct_rows(encode(batch, layout, first_row=first_row))
        weights = weigh(batch, rows, index)
        keys = keys_of(batch, key, first_row=first_row)
        hashes = hash_keys(key_texts(keys), seed=seed)
        keep, variance = None, 0.0
        if np.isfinite(max_weight):
            keep = sampling.keep(hashes, weights, max_weight=max_weight)
            probability = weights / max_weight
            variance = float(probability @ (1 - probability))
        yield WeighedBatch(batch, rows, index, weights, keys, hashes, keep, variance)
        first_row += batch.num_rows


@dataclass(frozen=True)
class WeighingResult:
    """Sums over the examples of a weighed table.

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
    table: AnnotationTable,
    weigher: Weigher,
    *,
    key: str | None,
    seed: int,
    weights_path: Path,
    keep_path: Path,
) -> WeighingResult:
    """Write each example's weight, and the keys of the kept examples.

    ``weights_path`` gets the columns ``key`` and ``weight``, ``keep_path`` (unless the weights have
    no maximum) the column ``key``. Duplicate keys are an error; to find them, a hash of each key is kept in
    memory, 8 bytes for each example.
    """
    layout, max_weight = weigher.layout, weigher.settings.max_weight
    columns = list(dict.fromkeys([*layout.columns, *([] if key is None else [key])]))
    batches = weigh_batches(
        table, weigher.weigh, layout, columns=columns, key=key, max_weight=max_weight, seed=seed
    )
    hashes, kept, examples, variance = [], None, 0, 0.0
    with contextlib.ExitStack() as stack:
        weights_file = stack.enter_context(ParquetParts(weights_path))
        keep_file = stack.enter_context(ParquetParts(keep_path)) if np.isfinite(max_weight) else None
        for part in stack.enter_context(progress(batches, unit=" batches", what="weighing")):
            hashes.append(part.hashes)
            weights_file.write({"key": part.keys, "weight": part.weights})
            examples += len(part.weights)
            variance += part.variance
            if part.keep is not None:
                keep_file.write({"key": part.keys.filter(pa.array(part.keep))})
                sensitive, labels, _ = decode(part.rows, layout)
                counts = np.bincount(part.index[part.keep], minlength=len(part.rows))
                of_batch = moments(sensitive, labels, counts)
                kept = of_batch if kept is None else kept + of_batch
        if key is not None:
            check_unique([table], key, np.concatenate(hashes), seed=seed)
    if kept is None:
        keep_path.unlink(missing_ok=True)  # left by an earlier run into the same folder
    return WeighingResult(examples, variance, kept)
