"""Half the squared MMD with a Laplacian kernel."""

from collections.abc import Sequence

import torch
from torch import Tensor

from clipfair.metrics.kernels import half_squared_mmd


def distance(population: Tensor, groups: Sequence[Tensor], *, bandwidth: float | str) -> Tensor:
    """With the kernel exp(-abs(x - y) / s); (G,)."""
    return half_squared_mmd(population, groups, lambda gap: torch.exp(-gap), bandwidth)
