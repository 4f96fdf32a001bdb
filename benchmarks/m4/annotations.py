"""Synthetic annotations: m = 4 groups, c sparse labels with planted associations.

The shape of what is annotated on web images and captions. Two perceived genders, each found in the
image and in the text: an example shows a person with probability 0.4, of either gender with a
probability of 0.45 (woman) or 0.55 (man), both with 0.1 of these; each modality reports a shown gender
with probability 0.7 and an absent one with 0.01. Label r (occupations and proxies, image and text)
occurs with Zipf probability 0.25 / (r + 3)^1.1 without people, and times exp(N(0, 0.5)) by gender
shown: the planted association. At c = 170 an example has 0.7 labels, 49% have none, and 61% are in
no group; at most half a million of 1e7 examples differ.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

GROUPS = ("image.gender=woman", "image.gender=man", "text.gender=woman", "text.gender=man")
_ROWS = 1 << 18


def label_names(c: int) -> list[str]:
    """The names of the label columns."""
    return [f"occupation={r:03d}" for r in range(c)]


def annotations(n: int, c: int, *, seed: int = 0, shard: int = 0):
    """Yield sensitive (rows, 4) and labels (rows, c), boolean, in pieces, n rows together.

    Shards of one seed have the same associations.
    """
    rng = np.random.default_rng(seed)
    base = 0.25 / (np.arange(c) + 3) ** 1.1
    woman, man = np.exp(rng.normal(0, 0.5, size=(2, c)))
    chance = np.stack([base, base * woman, base * man, base * woman * man])
    if shard:
        rng = np.random.default_rng([seed, shard])
    for start in range(0, n, _ROWS):
        rows = min(_ROWS, n - start)
        person = rng.random(rows) < 0.4
        man = rng.random(rows) < 0.55
        both = rng.random(rows) < 0.1
        shown = np.stack([person & (~man | both), person & (man | both)], axis=1)
        annotated = np.where(np.tile(shown, 2), 0.7, 0.01)
        sensitive = rng.random((rows, 4)) < annotated
        lifted_by = shown @ (1, 2)
        labels = np.zeros((c, rows), dtype=bool)
        for r in range(c):
            labels[r] = rng.random(rows, dtype=np.float32) < chance[:, r].take(lifted_by)
        yield sensitive, labels.T


def write(path: Path, n: int, c: int, *, seed: int = 0, shard: int = 0) -> None:
    """Write annotations as parquet: an integer key, and a boolean column a group or label.

    Keys are the numbers from ``shard * n``.
    """
    names = ["key", *GROUPS, *label_names(c)]
    writer, first = None, shard * n
    for sensitive, labels in annotations(n, c, seed=seed, shard=shard):
        key = np.arange(first, first + len(sensitive))
        columns = [pa.array(key), *(pa.array(x) for x in sensitive.T), *(pa.array(x) for x in labels.T)]
        part = pa.table(columns, names=names)
        writer = writer or pq.ParquetWriter(path, part.schema)
        writer.write_table(part)
        first += len(sensitive)
    writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--c", type=int, default=170)
    options = parser.parse_args()
    write(options.path, options.n, options.c)
