"""Half the squared MMD with a Gaussian kernel."""

from collections.abc import Sequence

import torch
from torch import Tensor

from clipfair.metrics.kernels import half_squared_mmd


def distance(population: Tensor, groups: Sequence[Tensor], *, bandwidth: float | str) -> Tensor:
    """With the kernel exp(-(x - y)^2 / 2 s^2); (G,)."""
    return half_squared_mmd(population, groups, lambda gap: torch.exp(-gap.square() / 2), bandwidth)
