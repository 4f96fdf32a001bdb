"""The exact Wasserstein distance between one-dimensional scores, by sorting."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from clipfair.metrics.kernels import pad


def distance(population: Tensor, groups: Sequence[Tensor], *, p: int) -> Tensor:
    """W_p^p / p of each group to the population: a distance (:mod:`clipfair.metrics.distances`).

    The integral over u in [0, 1] of abs(F^-1(u) - G^-1(u))^p / p, where F^-1 and G^-1 are quantile functions.
    """
    rank_of_population, rank_of_group, width = _match_ranks(len(population), tuple(map(len, groups)))
    ours = population.sort().values
    theirs = pad(groups, torch.inf).sort(dim=1).values
    here = ours.device
    of_population = ours[rank_of_population.to(here, non_blocking=True)]
    gaps = of_population - theirs.gather(1, rank_of_group.to(here, non_blocking=True))
    return (width.to(ours, non_blocking=True) * transport_cost(gaps, p)).sum(1)


def transport_cost(gaps: Tensor, p: int) -> Tensor:
    """abs(gap)^p / p for p = 1 or 2."""
    return gaps.abs() if p == 1 else gaps.square() / 2


@lru_cache(maxsize=256)
def _match_ranks(n: int, sizes: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """The intervals of [0, 1] on which the quantile functions of n and of m scores are both constant.

    Returns
    -------
    For each interval the rank among the n scores, the rank among the m scores, and its width; each
    (G, at most n + max(m)), filled up with intervals of width 0.
    """
    parts = []
    for m in sizes:
        # In units of 1 / (n m) every step of either function is at a whole number.
        ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
        starts = np.concatenate([[0], ends[:-1]])
        parts.append((starts // m, starts // n, (ends - starts) / (n * m)))
    return tuple(
        torch.nn.utils.rnn.pad_sequence([torch.from_numpy(part) for part in column], batch_first=True)
        for column in zip(*parts, strict=True)
    )
