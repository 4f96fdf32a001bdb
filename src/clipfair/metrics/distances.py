"""Distances between the scores of everybody and those of each group: for losses and for evaluation alike.

A distance is a line of the registry, its arguments all there, e.g. ``{kind: wasserstein, p: 2}``:

| kind | arguments | value, for uniform weights |
|---|---|---|
| sinkhorn | p, blur, scaling, diameter | the debiased divergence of geomloss, cost abs(x - y)^p / p |
| geomloss | p, blur, scaling, diameter | the same by that library (tensorized), group by group; see below |
| wasserstein | p | W_p^p / p, exact, by sorting: what sinkhorn tends to |
| gaussian | bandwidth s | half the squared MMD of the kernel exp(-(x - y)^2 / 2 s^2) |
| laplacian | bandwidth s | half the squared MMD of the kernel exp(-abs(x - y) / s) |
| energy | | half the squared MMD of the kernel -abs(x - y) |

The factors are geomloss's, so that a line can take another's place. Scores have one dimension, and units:
sinkhorn and wasserstein have the unit of the score to the power p, energy that of the score. With
``scale_free: true`` the scores are first divided by the standard deviation (ddof 0) of everybody's, so that
the distance no longer shrinks with them; of ``wasserstein`` with p = 2 it is that divided by the variance.

The values of ``sinkhorn`` and ``geomloss`` are the same, and their gradients up to rounding; but where costs
are many orders of magnitude above blur^p, geomloss's gradient in 32 bits counts a pair as often as there are
ties: it was 7 times too long at the scores of the released FairCLIP. Ours is not.

``diameter: null`` is each group's own range with everybody's, as geomloss takes it; ``bandwidth: median``
the median distance between two of the scores at hand, without a gradient.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from clipfair.core.errors import UserError

# As the reproduction of FairCLIP evaluates. A diameter below the scores' range lets the annealing start too
# late, and what comes out is not converged; kept under this name, so that its numbers can be made again.
AS_RELEASED = {"kind": "sinkhorn", "p": 2, "blur": 1e-4, "scaling": 0.95, "diameter": 2}
EXACT = {"kind": "wasserstein", "p": 2}
SCALE_FREE = {"kind": "wasserstein", "p": 2, "scale_free": True}
# With geomloss's own bandwidth, as MMD was trained and evaluated.
LAPLACIAN = {"kind": "laplacian", "bandwidth": 0.05}
# What is measured of every group, by its name in metrics.json: of the paired scores diag(L), and of the
# released ones, diag(LL).
EVALUATED = {
    "distance_sinkhorn": AS_RELEASED,
    "distance_wasserstein": EXACT,
    "distance_scale_free": SCALE_FREE,
    "distance_laplacian": LAPLACIAN,
    "distance_square_sinkhorn": AS_RELEASED,
    "distance_square_wasserstein": EXACT,
    "distance_square_scale_free": SCALE_FREE,
}

MEDIAN = "median"
# Sinkhorn's problems of up to so many scores are stacked.
SMALL = 128
# exp2 of less is not a normal 32-bit float, and slow; beside the largest term, which is 1, it is nothing.
SMALLEST_POWER = -126.0


def measure(line: Mapping, population: Tensor, groups: Sequence[Tensor]) -> Tensor:
    """The distance of each group's scores to everybody's, all groups at once.

    Differentiable in both; on the device and in the precision of ``population``.

    Parameters
    ----------
    line
        Of the registry: ``kind``, its arguments, ``scale_free``.
    population
        (n,) scores, n > 0.
    groups
        (m_g,) scores of each group, of any sizes.

    Returns
    -------
    (G,); NaN for an empty group, and where there is no scale: all scores are equal, or their median distance
    is 0.

    Raises
    ------
    UserError
        If the line is not one of a distance.
    """
    function, arguments = _read(line)
    if line.get("scale_free", False):
        scale = population.std(correction=0)
        population, groups = population / scale, [group / scale for group in groups]
    values = population.new_full((len(groups),), torch.nan)
    present = [place for place, group in enumerate(groups) if len(group)]
    if present:
        found = function(population, [groups[place] for place in present], **arguments)
        values = values.index_put((torch.tensor(present, device=values.device),), found)
    return values


def check(line: Mapping, *, where: str) -> None:
    """That a line is one of a distance.

    Raises
    ------
    UserError
        If it is not; the message begins with ``where``.
    """
    try:
        _read(line)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _read(line: Mapping) -> tuple[Callable[..., Tensor], dict]:
    arguments = {name: value for name, value in line.items() if name not in ("kind", "scale_free")}
    kind = line.get("kind")
    if kind not in KINDS:
        raise UserError(f"unknown distance {kind!r}; known: {', '.join(KINDS)}")
    function, needed = KINDS[kind]
    if set(arguments) != set(needed):
        expected, found = ", ".join(needed) or "none", ", ".join(arguments) or "none"
        raise UserError(f"distance {kind}: arguments {found}; expected exactly: {expected}")
    return function, arguments


# --- exact, by sorting ------------------------------------------------------------------------


def _wasserstein(population: Tensor, groups: Sequence[Tensor], *, p: int) -> Tensor:
    """The integral over u in [0, 1] of abs(F^-1(u) - G^-1(u))^p / p, F^-1 and G^-1 the quantile functions."""
    here, there, width = _pairing(len(population), tuple(map(len, groups)))
    ours = population.sort().values
    theirs = _padded(groups, torch.inf).sort(dim=1).values
    gaps = ours[here.to(ours.device)] - theirs.gather(1, there.to(ours.device))
    return (width.to(ours) * _cost(gaps, p)).sum(1)


@lru_cache(maxsize=256)
def _pairing(n: int, sizes: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Which of n sorted scores meets which of m, and for what share, where both quantile functions are flat.

    Returns
    -------
    Ranks among the n and among the m, and shares, each (G, at most n + max(m)), filled up with shares of 0.
    """
    parts = []
    for m in sizes:
        # In units of 1 / (n m), in which every step of either function is at a whole number.
        ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
        starts = np.concatenate([[0], ends[:-1]])
        parts.append((starts // m, starts // n, (ends - starts) / (n * m)))
    return tuple(
        torch.nn.utils.rnn.pad_sequence([torch.from_numpy(part) for part in column], batch_first=True)
        for column in zip(*parts, strict=True)
    )


def _padded(groups: Sequence[Tensor], value: float) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(groups), batch_first=True, padding_value=value)


def _cost(gaps: Tensor, p: int) -> Tensor:
    return gaps.abs() if p == 1 else gaps.square() / 2


# --- kernels ----------------------------------------------------------------------------------


def _kernel(of_distance: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """A distance from a kernel of abs(x - y), which it gets in units of the bandwidth if there is one."""

    def distance(
        population: Tensor, groups: Sequence[Tensor], *, bandwidth: float | str | None = None
    ) -> Tensor:
        if bandwidth == MEDIAN:
            bandwidth = _median_distance(torch.cat([population, *groups]).detach())
        unit = 1 if bandwidth is None else bandwidth
        x, y = population / unit, _padded(groups, 0) / unit
        ones = [torch.ones_like(group) / len(group) for group in groups]
        weights = _padded(ones, 0)

        def mean_kernel(a: Tensor, b: Tensor) -> Tensor:
            return of_distance((a.unsqueeze(-1) - b.unsqueeze(-2)).abs())

        within_all = mean_kernel(x, x).mean()
        within = (weights.unsqueeze(1) @ mean_kernel(y, y) @ weights.unsqueeze(2)).flatten()
        across = (mean_kernel(x, y).mean(1) * weights).sum(1)
        return (within_all + within) / 2 - across

    return distance


def _median_distance(scores: Tensor) -> Tensor:
    """The median of abs(x - y) over all pairs of two scores."""
    first, second = torch.triu_indices(len(scores), len(scores), offset=1, device=scores.device)
    return (scores[first] - scores[second]).abs().median()


# --- Sinkhorn ---------------------------------------------------------------------------------


def _sinkhorn(
    population: Tensor,
    groups: Sequence[Tensor],
    *,
    p: int,
    blur: float,
    scaling: float,
    diameter: float | None,
) -> Tensor:
    """The debiased Sinkhorn divergence, step by step as geomloss computes it (``backend="tensorized"``).

    Few scores are padded and stacked: then the calls take the time, not the numbers. Of many, population
    against itself is solved once if all groups have the same schedule, and groups of one size go together.
    """

    def schedule_of(chosen: Sequence[Tensor]) -> Schedule:
        diameters = _diameters(population, chosen) if diameter is None else [float(diameter)]
        return _schedule(population, p, diameters, blur, scaling)

    if max(len(population), *map(len, groups)) <= SMALL:
        return _stacked_divergence(population, groups, p, schedule_of(groups))
    values = population.new_zeros(len(groups))
    if diameter is not None:
        schedule = schedule_of(groups)
        within = _self_transport(population.unsqueeze(0), p, schedule)
    for size in sorted(set(map(len, groups))):
        places = [place for place, group in enumerate(groups) if len(group) == size]
        chosen = torch.stack([groups[place] for place in places])
        everybody = population.expand(len(places), -1)
        if diameter is None:
            schedule = schedule_of(chosen)
            within = _self_transport(everybody, p, schedule)
        across = _transport(everybody, chosen, p, schedule)
        divergence = across - within - _self_transport(chosen, p, schedule)
        values = values.index_put((torch.tensor(places, device=values.device),), divergence)
    return values


def _diameters(population: Tensor, groups: Sequence[Tensor]) -> list[float]:
    """Each group's range together with everybody's."""
    low, high = population.min(), population.max()
    ranges = [torch.maximum(high, group.max()) - torch.minimum(low, group.min()) for group in groups]
    return torch.stack(ranges).tolist()


def _geomloss(
    population: Tensor,
    groups: Sequence[Tensor],
    *,
    p: int,
    blur: float,
    scaling: float,
    diameter: float | None,
) -> Tensor:
    """The library's own debiased Sinkhorn divergence, its defaults spelt out."""
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
    # It leaves gradients switched on behind it.
    with torch.set_grad_enabled(torch.is_grad_enabled()):
        return torch.stack([loss(population[:, None], group[:, None]) for group in groups])


Schedule = list[tuple[Tensor, Tensor | None]]


def _schedule(like: Tensor, p: int, diameters: Sequence[float], blur: float, scaling: float) -> Schedule:
    """The temperatures of every group, from its diameter^p down to blur^p by scaling^p, one pair a step.

    Groups whose schedule is shorter wait at their first temperature.

    Returns
    -------
    Temperatures (B, 1), and whether each group has begun (B, 1), None if all have.
    """
    single = []
    for diameter in diameters:
        first = max(diameter, blur)
        inner = np.arange(p * math.log(first), p * math.log(blur), p * math.log(scaling))
        single.append(np.concatenate([[first**p], np.exp(inner), [blur**p]]))
    length = max(map(len, single))
    waiting = np.array([length - len(temperatures) for temperatures in single])
    padded = [np.pad(row, (wait, 0), "edge") for row, wait in zip(single, waiting, strict=True)]
    temperatures = torch.from_numpy(np.array(padded).T[:, :, None]).to(like)
    begun = torch.from_numpy(np.arange(length)[:, None, None] >= waiting[:, None]).to(like.device)
    all_from = waiting.max()
    return [(temperatures[step], begun[step] if step < all_from else None) for step in range(length)]


def _transport(x: Tensor, y: Tensor, p: int, schedule: Schedule) -> Tensor:
    """The dual value of the entropic problem between rows of ``x`` (B, n) and ``y`` (B, m); (B,)."""
    eps, _ = schedule[0]
    with torch.no_grad():
        cost = _cost(x.unsqueeze(2) - y.unsqueeze(1), p)
        turned = cost.transpose(1, 2).contiguous()
        f = _soft_minimum(cost, torch.zeros_like(y), eps)
        g = _soft_minimum(turned, torch.zeros_like(x), eps)
        for eps, begun in schedule:
            new_f, new_g = _soft_minimum(cost, g, eps), _soft_minimum(turned, f, eps)
            f, g = _move(f, new_f, begun), _move(g, new_g, begun)
    # Differentiated in the costs alone: at the optimum the potentials do not matter to first order.
    forth = _cost(x.unsqueeze(2) - y.detach().unsqueeze(1), p)
    back = _cost(y.unsqueeze(2) - x.detach().unsqueeze(1), p)
    return _soft_minimum(forth, g, eps).mean(1) + _soft_minimum(back, f, eps).mean(1)


def _stacked_divergence(population: Tensor, groups: Sequence[Tensor], p: int, schedule: Schedule) -> Tensor:
    """The divergences of all groups, of whatever sizes, their problems stacked: one call a step; (G,)."""
    count, width = len(groups), max(len(population), *map(len, groups))
    sides = [_filled(part, width) for part in [population] * count + list(groups)]
    # Across: population and group, group and population. Within: each with itself.
    own = torch.stack(sides + sides)
    weights = torch.stack([_shares(part, width) for part in [population] * count + list(groups)]).repeat(2, 1)
    partner = torch.arange(4 * count, device=own.device)
    partner[: 2 * count] = partner[: 2 * count].roll(count)
    theirs = weights[partner].unsqueeze(1)
    steps = [
        tuple(None if of is None else of.expand(count, 1).repeat(4, 1) for of in step) for step in schedule
    ]
    eps, _ = steps[0]
    with torch.no_grad():
        cost = _cost(own.unsqueeze(2) - own[partner].unsqueeze(1), p)
        f = _soft_minimum(cost, torch.zeros_like(own), eps, theirs)
        for eps, begun in steps:
            f = _move(f, _soft_minimum(cost, f[partner], eps, theirs), begun)
    differentiated = _cost(own.unsqueeze(2) - own[partner].detach().unsqueeze(1), p)
    values = (_soft_minimum(differentiated, f[partner], eps, theirs) * weights).sum(1)
    forth, back, within_all, within = values.chunk(4)
    return forth + back - within_all - within


def _filled(scores: Tensor, width: int) -> Tensor:
    """Scores with copies of the first behind them, which count nothing."""
    return torch.cat([scores, scores[:1].detach().expand(width - len(scores))])


def _shares(scores: Tensor, width: int) -> Tensor:
    shares = scores.new_zeros(width)
    shares[: len(scores)] = 1 / len(scores)
    return shares


def _self_transport(x: Tensor, p: int, schedule: Schedule) -> Tensor:
    """The mean potential of the rows of ``x`` (B, n), each against itself; (B,)."""
    eps, _ = schedule[0]
    with torch.no_grad():
        cost = _cost(x.unsqueeze(2) - x.unsqueeze(1), p)
        f = _soft_minimum(cost, torch.zeros_like(x), eps)
        for eps, begun in schedule:
            f = _move(f, _soft_minimum(cost, f, eps), begun)
    return _soft_minimum(_cost(x.unsqueeze(2) - x.detach().unsqueeze(1), p), f, eps).mean(1)


def _move(old: Tensor, new: Tensor, begun: Tensor | None) -> Tensor:
    """Half of the way, for those that have begun."""
    moved = torch.lerp(old, new, 0.5)
    return moved if begun is None else torch.where(begun, moved, old)


def _soft_minimum(cost: Tensor, potential: Tensor, eps: Tensor, shares: Tensor | None = None) -> Tensor:
    """-eps log of the mean over j of exp((potential_j - cost_ij) / eps), in powers of two: they are fastest.

    ``cost`` (B, n, m), ``potential`` (B, m), ``eps`` (B, 1) or (1, 1), ``shares`` (B, 1, m) of a mean that is
    not uniform; (B, n).
    """
    rate = math.log2(math.e) / eps
    exponents = torch.addcmul((potential * rate).unsqueeze(1), cost, rate.unsqueeze(2), value=-1)
    top = exponents.detach().amax(2, keepdim=True)
    powers = (exponents - top).clamp_(min=SMALLEST_POWER).exp2_()
    mean = powers.mean(2) if shares is None else (powers * shares).sum(2)
    return (mean.log2() + top.squeeze(2)) / -rate


KINDS: dict[str, tuple[Callable[..., Tensor], tuple[str, ...]]] = {
    "sinkhorn": (_sinkhorn, ("p", "blur", "scaling", "diameter")),
    "geomloss": (_geomloss, ("p", "blur", "scaling", "diameter")),
    "wasserstein": (_wasserstein, ("p",)),
    "gaussian": (_kernel(lambda distance: torch.exp(-distance.square() / 2)), ("bandwidth",)),
    "laplacian": (_kernel(lambda distance: torch.exp(-distance)), ("bandwidth",)),
    "energy": (_kernel(torch.neg), ()),
}
