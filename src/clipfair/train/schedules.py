"""Learning-rate schedules: the factor of the learning rate at each step."""

import math
from collections.abc import Callable, Mapping
from functools import partial

from clipfair.core.errors import UserError, unknown

Schedule = Callable[[int], float]


def rsqrt(
    step: int,
    *,
    total: int,
    warmup: int,
    timescale: int,
    cooldown: int,
    floor: float,
    start: float,
    epochs: int,
) -> float:
    """big_vision's: linear warm-up, then 1 / sqrt(1 + (step - warmup) / timescale), then linear to 0.

    Parameters
    ----------
    step
        From 0.
    total, warmup, timescale, cooldown
        Steps. CLIP the Bias has a warm-up and a timescale of 5000 and no cool-down (Appendix A.4), so that
        the model at any step equals the result of a shorter training.
    start
        The factor at step 0 of a warm-up.
    floor, epochs
        Not used.
    """
    after = max(0, step - warmup)
    return _warm_up(step, warmup, start) / math.sqrt(1 + after / timescale) * _ramp(total - step, cooldown)


def cosine(
    step: int,
    *,
    total: int,
    warmup: int,
    timescale: int,
    cooldown: int,
    floor: float,
    start: float,
    epochs: int,
) -> float:
    """Linear warm-up, then half a cosine down to ``floor`` at ``total``."""
    if step < warmup:
        return _warm_up(step, warmup, start)
    return _half_cosine(step - warmup, max(1, total - warmup), floor)


def constant(
    step: int,
    *,
    total: int,
    warmup: int,
    timescale: int,
    cooldown: int,
    floor: float,
    start: float,
    epochs: int,
) -> float:
    """1 after a linear warm-up."""
    return _warm_up(step, warmup, start)


def cosine_by_epoch(
    step: int,
    *,
    total: int,
    warmup: int,
    timescale: int,
    cooldown: int,
    floor: float,
    start: float,
    epochs: int,
) -> float:
    """LAVIS's: a linear warm-up in the first epoch, then half a cosine that changes once per epoch.

    The warm-up ends with the epoch, even if it has fewer than ``warmup`` steps; the rate then jumps to the
    cosine's value of the second epoch.
    """
    epoch = step * epochs // total
    return _warm_up(step, warmup, start) if epoch == 0 else _half_cosine(epoch, epochs, floor)


SCHEDULES = {"rsqrt": rsqrt, "cosine": cosine, "cosine-by-epoch": cosine_by_epoch, "constant": constant}


def make_schedule(recipe: Mapping, total: int) -> Schedule:
    """Return the schedule of a recipe over the whole training, all stages together.

    Parameters
    ----------
    recipe
        ``schedule``; in steps ``warmup``, ``timescale``, ``cooldown``; ``floor``, ``start``, ``epochs``.
    total
        The number of steps.

    Raises
    ------
    UserError
        If there is no schedule of that name.
    """
    name = recipe["schedule"]
    if name not in SCHEDULES:
        raise UserError(f"recipes.yaml: {unknown('schedule', name, SCHEDULES)}")
    defaults = {"warmup": 0, "timescale": 1, "cooldown": 0, "floor": 0.0, "start": 0.0, "epochs": 1}
    chosen = {key: recipe.get(key, default) for key, default in defaults.items()}
    return partial(SCHEDULES[name], total=total, **chosen)


def _warm_up(step: int, length: int, start: float) -> float:
    return start + (1 - start) * _ramp(step, length)


def _half_cosine(done: int, of: int, floor: float) -> float:
    """Half a cosine from 1 at 0 to ``floor`` at ``of``."""
    remaining = (1 + math.cos(math.pi * done / of)) / 2
    return floor + (1 - floor) * remaining


def _ramp(step: int, length: int) -> float:
    return min(1.0, step / length) if length else 1.0
