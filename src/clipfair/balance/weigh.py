"""Weights and decisions to keep for the examples of a batch."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from clipfair.balance.indicators import IndicatorLayout, encode
from clipfair.balance.table import TableBatch, errors_in, keys_of
from clipfair.core.keys import hash_keys, key_texts
from clipfair.m4 import sampling
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


def weigh_batch(
    batch: TableBatch,
    weigh: WeightFunction,
    layout: IndicatorLayout,
    *,
    key: str | None,
    max_weight: float,
    seed: int,
) -> WeighedBatch:
    """Weigh and sample the examples of a batch.

    An example is kept with probability min(1, q / max_weight) by a hash of its key and the seed. Without a
    key column the key is the number of the row in all tables, from 0.
    """
    with errors_in(batch.path):
        rows, index = distinct_rows(encode(batch.columns, layout, first_row=batch.first_row))
        weights = weigh(batch.columns, rows, index)
        keys = keys_of(batch, key)
    hashes = hash_keys(key_texts(keys), seed=seed)
    keep = sampling.keep(hashes, weights, max_weight=max_weight)
    probability = np.minimum(weights / max_weight, 1)
    variance = float(probability @ (1 - probability))
    return WeighedBatch(batch.columns, rows, index, weights, keys, hashes, keep, variance)
