"""Weights and keep-list of one table, in one pass."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from clipfair.balance.indicators import encode
from clipfair.balance.parquet_parts import ParquetParts
from clipfair.balance.table import AnnotationTable, check_unique, keys_of
from clipfair.balance.weigher import Weigher
from clipfair.core.errors import progress
from clipfair.core.keys import hash_keys, key_texts
from clipfair.m4 import sampling
from clipfair.m4.bias import Moments, moments
from clipfair.m4.problem import distinct_rows


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
    no maximum) the column ``key``. Without a key column the key is the row number, from 0. An
    example is kept with probability q / Q by a hash of its key and the seed. Duplicate keys are an
    error; to find them, a hash of each key is kept in memory, 8 bytes for each example.
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
        keep_path.unlink(missing_ok=True)  # left by an earlier run into the same folder
    return WeighingResult(examples, variance, kept)
