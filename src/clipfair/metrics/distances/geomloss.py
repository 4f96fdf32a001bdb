"""The debiased Sinkhorn divergence by the library geomloss (:mod:`clipfair.metrics.distances.sinkhorn`)."""

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
    """The debiased Sinkhorn divergence by the library geomloss, with its defaults written out; (G,)."""
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
    # geomloss switches gradients on and does not restore the mode.
    with torch.set_grad_enabled(torch.is_grad_enabled()):
        return torch.stack([loss(population[:, None], group[:, None]) for group in groups])
