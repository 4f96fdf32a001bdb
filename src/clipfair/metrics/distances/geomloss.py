"""The debiased Sinkhorn divergence by the library geomloss (:mod:`clipfair.metrics.distances.sinkhorn`)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def distance(
    population: Tensor,
    groups: Sequence[Tensor],
    *,
    p: int,
    blur: float,
    scaling: float,
    diameter: float | None,
) -> Tensor:
    """The debiased Sinkhorn divergence by the library geomloss, with its defaults written out; (G,).

    Where ``diameter`` is None and the range of the scores is zero or not finite, geomloss has no first
    temperature and the value is NaN.
    """
    from geomloss import SamplesLoss

    loss = SamplesLoss(
        "sinkhorn",
        p=p,
        blur=blur,
        reach=None,
        diameter=diameter,
        scaling=scaling,
        debias=True,
        backend="tensorized",
    )

    def value(group: Tensor) -> Tensor:
        if diameter is None and not 0 < _range(population, group) < math.inf:
            return population.sum() * math.nan
        return loss(population[:, None], group[:, None])

    # geomloss switches gradients on and does not restore the mode.
    with torch.set_grad_enabled(torch.is_grad_enabled()):
        return torch.stack([value(group) for group in groups])


def _range(population: Tensor, group: Tensor) -> float:
    scores = torch.cat([population, group]).detach()
    return float(scores.max() - scores.min())
