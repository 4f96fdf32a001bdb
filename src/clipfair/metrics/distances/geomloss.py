"""The debiased Sinkhorn divergence by the library geomloss (:mod:`clipfair.metrics.distances.sinkhorn`).

In training, the library's time is that of its calls: each group has four small problems, and each of them a
call for each step of the schedule. Groups of the population's size are therefore annealed in one stack of all
problems, by the library's operations in its order. The last step, which alone is differentiated, is the
library's own. Values and gradients are the library's to the last bit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# The four problems of a group: population and group, group and population, each against itself. The potential
# of its partner enters each of them.
PARTNERS = (1, 0, 2, 3)


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
    stacked = {}
    values = [torch.zeros(())] * len(groups)
    # geomloss switches gradients on and does not restore the mode.
    with torch.set_grad_enabled(torch.is_grad_enabled()):
        for place, group in enumerate(groups):
            if diameter is None and not 0 < _range(population, group) < math.inf:
                values[place] = population.sum() * math.nan
            elif len(group) == len(population):
                stacked[place] = _problems(population, group, p, blur, scaling, diameter)
            else:
                values[place] = _of_one_group(population, group, p, blur, scaling, diameter)
        if stacked:
            for place, value in zip(stacked, _solve(list(stacked.values()), blur**p), strict=True):
                values[place] = value
        return torch.stack(values)


def _range(population: Tensor, group: Tensor) -> float:
    scores = torch.cat([population, group]).detach()
    return float(scores.max() - scores.min())


def _of_one_group(
    population: Tensor, group: Tensor, p: int, blur: float, scaling: float, diameter: float | None
) -> Tensor:
    from geomloss import SamplesLoss

    settings = {"p": p, "blur": blur, "scaling": scaling, "diameter": diameter}
    loss = SamplesLoss("sinkhorn", reach=None, debias=True, backend="tensorized", **settings)
    return loss(population[:, None], group[:, None])


@dataclass(frozen=True)
class _Problems:
    """The four problems of a group: their costs, (1, n, n) each, and the temperatures of all."""

    costs: list[Tensor]
    schedule: list[float]


def _problems(
    population: Tensor, group: Tensor, p: int, blur: float, scaling: float, diameter: float | None
) -> _Problems:
    from geomloss._legacy.sinkhorn_divergence import scaling_parameters
    from geomloss._legacy.sinkhorn_samples import cost_routines

    x, y = population[:, None].unsqueeze(0), group[:, None].unsqueeze(0)
    pairs = ((x, y), (y, x), (x, x), (y, y))
    costs = [cost_routines[p](one, other.detach()) for one, other in pairs]
    return _Problems(costs, scaling_parameters(x, y, p, blur, None, diameter, scaling)[2])


def _solve(groups: Sequence[_Problems], eps: float) -> list[Tensor]:
    """The divergence of each group; ``eps`` is the last temperature."""
    from geomloss._legacy.sinkhorn_divergence import log_weights, sinkhorn_cost
    from geomloss._legacy.sinkhorn_samples import softmin_tensorized

    costs = torch.cat([cost.detach() for group in groups for cost in group.costs])
    n = costs.shape[1]
    weights = torch.ones(1, n).to(costs) / n
    log_weight = log_weights(weights)
    with torch.no_grad():
        potentials = _anneal(costs, log_weight, [group.schedule for group in groups])
        inputs = (log_weight + potentials / eps).split(len(PARTNERS))
    values = []
    for group, given in zip(groups, inputs, strict=True):
        forth, back, within_population, within_group = (
            softmin_tensorized(eps, cost, given[[partner]])
            for cost, partner in zip(group.costs, PARTNERS, strict=True)
        )
        parts = (within_population, within_group, back, forth)
        values.append(sinkhorn_cost(eps, None, weights, weights, *parts, batch=True)[0])
    return values


def _anneal(costs: Tensor, log_weight: Tensor, schedules: Sequence[Sequence[float]]) -> Tensor:
    """The potentials of all problems after their schedules, (4 G, n).

    A group with a shorter schedule waits at its first temperature.

    Parameters
    ----------
    costs
        (4 G, n, n), of each group in the order of :data:`PARTNERS`.
    log_weight
        (1, n).
    schedules
        The temperatures of each group.
    """
    count, length = len(schedules), max(map(len, schedules))
    waiting = np.array([length - len(schedule) for schedule in schedules])
    padded = [np.pad(schedule, (wait, 0), "edge") for schedule, wait in zip(schedules, waiting, strict=True)]
    steps = torch.from_numpy(np.repeat(padded, len(PARTNERS), axis=0).T[:, :, None]).to(costs)
    waits = torch.from_numpy(np.repeat(waiting, len(PARTNERS))[:, None]).to(costs.device)
    partner = (
        (torch.arange(count)[:, None] * len(PARTNERS) + torch.tensor(PARTNERS)).flatten().to(costs.device)
    )
    potentials = _soft_minimum(costs, log_weight.expand(len(costs), -1), steps[0])
    for step, eps in enumerate(steps):
        new = _soft_minimum(costs, log_weight + potentials[partner] / eps, eps)
        moved = 0.5 * (potentials + new)
        potentials = moved if step >= waiting.max() else torch.where(step >= waits, moved, potentials)
    return potentials


def _soft_minimum(costs: Tensor, inputs: Tensor, eps: Tensor) -> Tensor:
    """As geomloss computes it, with a temperature (4 G, 1) for each problem."""
    return -eps * (inputs.unsqueeze(1) - costs / eps.unsqueeze(2)).logsumexp(2)
