"""M4, the data balancing of *CLIP the Bias* (section 5), as weights: equal groups, whatever the label.

The target of each group is 1 / G. Nothing is subsampled: the rate is 1, and weights have no upper bound.
"""

import numpy as np

from clipfair.m4 import M4Settings, Problem, collapse, solve

# Above the multipliers of any cell of at least one example in 10,000, so that every constraint holds.
PENALTY = 1e6


def weights(groups: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return M4's weights q of the exact solver; (n,), mean 1.

    The last group has no constraint of its own: it follows from the others.
    """
    count = groups.max() + 1
    sensitive = (groups[:, None] == np.arange(count - 1)).astype(np.uint8)
    patterns, index = collapse(sensitive, labels[:, None])
    settings = M4Settings(target=np.full(count - 1, 1 / count), rate=1.0, max_weight=np.inf, penalty=PENALTY)
    return solve(Problem(patterns, settings)).weights[index]
