"""Order statistics of numbers in several sorted parts, which need not be in memory."""

from collections.abc import Sequence

import numpy as np


def value_at_rank(parts: Sequence[np.ndarray], rank: int) -> float:
    """The value at position ``rank``, from 0, of all parts' values in ascending order.

    Found by bisection over the floats: each step is a binary search in every part.

    Parameters
    ----------
    parts : (n_i,) finite floats, each ascending; arrays in memory or mapped from files.
    """
    parts = [part for part in parts if len(part)]

    def are_enough(value: float) -> bool:
        return sum(int(np.searchsorted(part, value, side="right")) for part in parts) > rank

    low, high = float(min(part[0] for part in parts)), float(max(part[-1] for part in parts))
    if are_enough(low):
        return low
    # More than `rank` values are at most `high`, but not at most `low`.
    while low < (middle := low / 2 + high / 2) < high:
        low, high = (low, middle) if are_enough(middle) else (middle, high)
    return high
