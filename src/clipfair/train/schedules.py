"""Learning-rate schedules: the factor of the learning rate at each step."""

import math
from collections.abc import Callable, Mapping
from functools import partial

from clipfair.core.errors import UserError
from clipfair.core.schema import unknown

Schedule = Callable[[int], float]


def rsqrt(step: int, *, total: int, warmup: int, timescale: int, cooldown: int, floor: float) -> float:
    """big_vision's: linear warm-up, then 1 / sqrt(1 + (step - warmup) / timescale), then linear to 0.

    Parameters
    ----------
    step
        From 0.
    warmup, timescale, cooldown
        Steps; the paper has 5000, 5000 and no cool-down (Appendix A.4), so that any point on the way
        is a run of its own.
    """
    after = max(0, step - warmup)
    return _ramp(step, warmup) / math.sqrt(1 + after / timescale) * _ramp(total - step, cooldown)


def cosine(step: int, *, total: int, warmup: int, timescale: int, cooldown: int, floor: float) -> float:
    """Linear warm-up, then half a cosine to ``floor`` at ``total``."""
    if step < warmup:
        return _ramp(step, warmup)
    left = (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup))) / 2
    return floor + (1 - floor) * left


def constant(step: int, *, total: int, warmup: int, timescale: int, cooldown: int, floor: float) -> float:
    """1 after a linear warm-up."""
    return _ramp(step, warmup)


SCHEDULES = {"rsqrt": rsqrt, "cosine": cosine, "constant": constant}


def make_schedule(recipe: Mapping, total: int) -> Schedule:
    """The schedule of a recipe: ``schedule``; in steps ``warmup``, ``timescale``, ``cooldown``; ``floor``.

    It is of the whole training: a second stage goes on where the first one ended.
    """
    name = recipe["schedule"]
    if name not in SCHEDULES:
        raise UserError(f"config.recipes: {unknown('schedule', name, SCHEDULES)}")
    defaults = {"warmup": 0, "timescale": 1, "cooldown": 0, "floor": 0.0}
    chosen = {key: recipe.get(key, default) for key, default in defaults.items()}
    return partial(SCHEDULES[name], total=total, **chosen)


def _ramp(step: int, length: int) -> float:
    return min(1.0, step / length) if length else 1.0
