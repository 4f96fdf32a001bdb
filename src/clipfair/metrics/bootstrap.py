"""95% percentile intervals by resampling examples, for many quantities at once.

The mean in a resample is the product of the examples' values with the number of times that each example was
drawn, so one matrix of counts serves every quantity of the same examples. The matrix is drawn in blocks, so
that memory does not grow with the number of examples.
"""

from collections.abc import Iterator

import numpy as np

REPLICATES = 1000
LEVELS = (2.5, 97.5)
_BLOCK = 32_768  # draws per block: few enough to stay in the processor's cache


def draw_counts(n: int, rng: np.random.Generator, *, replicates: int = REPLICATES) -> Iterator[np.ndarray]:
    """Counts of draws of each of ``n`` examples: blocks of (b, n) integers, ``replicates`` rows in total."""
    block = max(1, _BLOCK // n)
    for start in range(0, replicates, block):
        b = min(block, replicates - start)
        drawn = rng.integers(0, n, size=(b, n))
        drawn += np.arange(b)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=b * n).reshape(b, n)


def means(values: np.ndarray, rng: np.random.Generator, *, replicates: int = REPLICATES) -> np.ndarray:
    """The mean of each column in each resample.

    Parameters
    ----------
    values
        (n, k), n >= 1.

    Returns
    -------
    (replicates, k) float64.
    """
    blocks = [counts @ values for counts in draw_counts(len(values), rng, replicates=replicates)]
    return np.concatenate(blocks) / len(values)


def medians(values: np.ndarray, rng: np.random.Generator, *, replicates: int = REPLICATES) -> np.ndarray:
    """The median in each resample of (n,) values; (replicates,)."""
    ordered = np.sort(values)
    middle = (len(values) - 1) // 2, len(values) // 2
    blocks = []
    for counts in draw_counts(len(values), rng, replicates=replicates):
        cumulative = counts.cumsum(axis=1)
        blocks.append(np.mean([ordered[(cumulative > place).argmax(axis=1)] for place in middle], axis=0))
    return np.concatenate(blocks)


def interval(replicates: np.ndarray) -> tuple[float, float] | None:
    """The 2.5th and the 97.5th percentile of (b,) values that are not NaN; None if there are none."""
    defined = replicates[~np.isnan(replicates)]
    if not len(defined):
        return None
    low, high = np.percentile(defined, LEVELS)
    return float(low), float(high)


def intervals(replicates: np.ndarray) -> list[tuple[float, float] | None]:
    """:func:`interval` of each column of (b, k) values."""
    return [interval(column) for column in replicates.T]
