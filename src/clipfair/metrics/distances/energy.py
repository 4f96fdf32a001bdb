"""Half the energy distance."""

from collections.abc import Sequence

import torch
from torch import Tensor

from clipfair.metrics.kernels import half_squared_mmd


def distance(population: Tensor, groups: Sequence[Tensor]) -> Tensor:
    """With the kernel -abs(x - y): half the energy distance; (G,)."""
    return half_squared_mmd(population, groups, torch.neg, 1)
