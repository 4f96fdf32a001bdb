"""Sampling by weights: a decision for each key, the same in any order, shard or process."""

import numpy as np

from clipfair.core.errors import UserError


def keep(hashes: np.ndarray, weights: np.ndarray, *, max_weight: float) -> np.ndarray:
    """Keep an example with probability q / Q, and for certain where q exceeds Q, by its hash; (n,) bool.

    The rate kept is eta / Q in expectation if no weight exceeds Q, which may be any largest weight.
    """
    if not np.isfinite(max_weight):
        raise UserError("with an infinite max weight (Q) nothing can be sampled: give a finite one")
    uniform = (hashes >> np.uint64(11)) * 2.0**-53  # the 53 bits that a float holds, in [0, 1)
    return uniform < weights / max_weight
