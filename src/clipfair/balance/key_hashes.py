"""Hashes of keys that occur more than once, found in memory that does not grow with the number of keys."""

from collections.abc import Sequence

import numpy as np

_SORTED_AT_ONCE = 1 << 24


def repeated_hashes(parts: Sequence[np.ndarray], *, sorted_at_once: int = _SORTED_AT_ONCE) -> np.ndarray:
    """The hashes that occur more than once among all parts, ascending.

    Hashes are uniform, so equal ranges of their values are partitions of about equal size. Each partition is
    read from all parts and sorted by itself.

    Parameters
    ----------
    parts : (n_i,) uint64, each sorted; arrays in memory or mapped from files.
    sorted_at_once : about how many hashes a partition holds.
    """
    total = sum(map(len, parts))
    count = max(1, -(-total // sorted_at_once))
    edges = np.array([(partition << 64) // count for partition in range(1, count)], dtype=np.uint64)
    bounds = [[0, *np.searchsorted(part, edges), len(part)] for part in parts]
    nothing = np.zeros(0, dtype=np.uint64)
    found = [nothing]
    for partition in range(count):
        inside = [part[b[partition] : b[partition + 1]] for part, b in zip(parts, bounds, strict=True)]
        hashes = np.sort(np.concatenate([*inside, nothing]))
        found.append(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]))
    return np.concatenate(found)
