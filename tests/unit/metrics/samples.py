"""Samples of scores for the tests of distances."""

import numpy as np
import torch


def scores(*sizes, seed=0, scale=1.0):
    """Populations and groups of the given sizes, each with another mean; float64."""
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(scale * (rng.normal(size=n) + 0.3 * i)) for i, n in enumerate(sizes)]
