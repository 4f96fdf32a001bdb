"""The keep-list of a condition: which keys of each shard are kept, and with which caption."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clipfair.balance.indicators import IndicatorLayout, decode
from clipfair.balance.parquet_parts import ParquetParts
from clipfair.balance.table import AnnotationTable, batches_of, check_unique
from clipfair.balance.weigh import WeighedBatch, weigh_batch
from clipfair.balance.weight_rules import WeightRule, read_numbers
from clipfair.core.errors import UserError, progress
from clipfair.m4.bias import Moments, moments

VERSIONS = ("before", "after", "sample")


@dataclass
class KeepListSums:
    """Sums over the examples of all shards, for the audit.

    Attributes
    ----------
    versions : moments before, after (weighted) and in the sample (kept).
    humans : weight of the examples with humans in each version; empty if the annotations have none.
    variance : variance of the number of examples kept, given the weights.
    """

    versions: dict[str, Moments] = field(default_factory=dict)
    humans: dict[str, float] = field(default_factory=lambda: dict.fromkeys(VERSIONS, 0.0))
    variance: float = 0.0

    def add(self, version: str, data: Moments, *, humans: float) -> None:
        """Add a batch to one version."""
        self.versions[version] = self.versions[version] + data if version in self.versions else data
        self.humans[version] += humans


def write_keep_list(
    tables: Sequence[AnnotationTable],
    rule: WeightRule,
    layout: IndicatorLayout,
    *,
    seed: int,
    keep_path: str | Path,
    rewritten: Sequence[str | Path] | None,
) -> KeepListSums:
    """Write the keep-list in one pass over the tables; it appears only if all keys are unique.

    Its columns are ``key``, ``shard`` (the table's name without suffix) and, with ``rewritten`` captions,
    ``text``.
    """
    with_humans = all("human" in table.booleans for table in tables)
    columns = dict.fromkeys(["key", *layout.columns, *rule.columns, *(["human"] if with_humans else [])])
    sums, hashes = KeepListSums(), []
    with ParquetParts(Path(keep_path)) as keep_list:
        for number, table in enumerate(progress(tables, unit=" shards", what="sampling")):
            table.check_columns(["key"])
            captions = None if rewritten is None else _RewrittenCaptions(rewritten[number])
            for batch in batches_of([table], list(columns)):
                part = weigh_batch(
                    batch, rule.weigh, layout, key="key", max_weight=rule.max_weight, seed=seed
                )
                hashes.append(np.sort(part.hashes))
                kept = pc.cast(part.keys, pa.string()).filter(pa.array(part.keep))
                written = {"key": kept, "shard": pa.repeat(pa.scalar(table.path.stem), len(kept))}
                keep_list.write(written if captions is None else written | {"text": captions.of(kept)})
                _add_batch(sums, part, layout, with_humans=with_humans)
        check_unique(tables, "key", hashes, seed=seed)
    return sums if with_humans else replace(sums, humans={})


def _add_batch(sums: KeepListSums, part: WeighedBatch, layout: IndicatorLayout, *, with_humans: bool) -> None:
    humans = read_numbers(part.batch, "human") if with_humans else np.zeros(len(part.weights))
    sensitive, labels, _ = decode(part.rows, layout)
    weightings = (np.ones(len(part.weights)), part.weights, part.keep.astype(float))
    for version, weighting in zip(VERSIONS, weightings, strict=True):
        by_pattern = np.bincount(part.index, weights=weighting, minlength=len(part.rows))
        sums.add(version, moments(sensitive, labels, by_pattern), humans=weighting @ humans)
    sums.variance += part.variance


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
