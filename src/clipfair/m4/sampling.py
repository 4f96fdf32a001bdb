"""Which examples to keep: a decision for each key alone, the same in any order, shard or process."""

import numpy as np

from clipfair.core.errors import UserError


def keep(hashes: np.ndarray, weights: np.ndarray, *, max_weight: float) -> np.ndarray:
    """Keep an example with probability q / Q, by its hash; (n,) bool.

    The rate kept is eta / Q in expectation.
    """
    if not np.isfinite(max_weight):
        raise UserError("an infinite max weight (Q) leaves nothing to sample by: give a finite one to sample")
    uniform = (hashes >> np.uint64(11)) * 2.0**-53  # the 53 bits that a float holds, in [0, 1)
    return uniform < weights / max_weight
