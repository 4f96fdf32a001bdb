"""Maximum mean discrepancies (MMD) between one-dimensional scores.

``bandwidth: median`` is the median distance between two of the given scores; it has no gradient.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

MEDIAN = "median"


def half_squared_mmd(
    population: Tensor,
    groups: Sequence[Tensor],
    kernel: Callable[[Tensor], Tensor],
    bandwidth: float | str,
) -> Tensor:
    """Return half the squared MMD of each group to the population, (G,).

    ``kernel`` is a function of abs(x - y) in units of the bandwidth.
    """
    unit = _median_distance(torch.cat([population, *groups]).detach()) if bandwidth == MEDIAN else bandwidth
    x, y = population / unit, pad(groups, 0) / unit
    weights = pad([torch.ones_like(group) / len(group) for group in groups], 0)

    def pairwise(a: Tensor, b: Tensor) -> Tensor:
        return kernel((a.unsqueeze(-1) - b.unsqueeze(-2)).abs())

    within_population = pairwise(x, x).mean()
    within_group = (weights.unsqueeze(1) @ pairwise(y, y) @ weights.unsqueeze(2)).flatten()
    across = (pairwise(x, y).mean(1) * weights).sum(1)
    return (within_population + within_group) / 2 - across


def _median_distance(scores: Tensor) -> Tensor:
    """The median of abs(x - y) over all pairs of two scores."""
    first, second = torch.triu_indices(len(scores), len(scores), offset=1, device=scores.device)
    return (scores[first] - scores[second]).abs().median()


def pad(groups: Sequence[Tensor], value: float) -> Tensor:
    """Groups of different sizes as the rows of (G, max size), filled up with ``value``."""
    return torch.nn.utils.rnn.pad_sequence(list(groups), batch_first=True, padding_value=value)
