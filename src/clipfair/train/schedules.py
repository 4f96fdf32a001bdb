"""Learning-rate schedules: the factor of the learning rate at each step."""

import math
from collections.abc import Callable, Mapping
from functools import partial

from clipfair.core.errors import UserError, unknown

Schedule = Callable[[int], float]


def rsqrt(step: int, *, total: int, warmup: int, timescale: int, cooldown: int, floor: float) -> float:
    """big_vision's: linear warm-up, then 1 / sqrt(1 + (step - warmup) / timescale), then linear to 0.

    Parameters
    ----------
    step
        From 0.
    total, warmup, timescale, cooldown
        Steps. CLIP the Bias has a warm-up and a timescale of 5000 and no cool-down (Appendix A.4), so that
        the model at any step equals the result of a shorter training.
    floor
        Not used.
    """
    after = max(0, step - warmup)
    return _ramp(step, warmup) / math.sqrt(1 + after / timescale) * _ramp(total - step, cooldown)


def cosine(step: int, *, total: int, warmup: int, timescale: int, cooldown: int, floor: float) -> float:
    """Linear warm-up, then half a cosine down to ``floor`` at ``total``."""
    if step < warmup:
        return _ramp(step, warmup)
    remaining = (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup))) / 2
    return floor + (1 - floor) * remaining


def constant(step: int, *, total: int, warmup: int, timescale: int, cooldown: int, floor: float) -> float:
    """1 after a linear warm-up."""
    return _ramp(step, warmup)


SCHEDULES = {"rsqrt": rsqrt, "cosine": cosine, "constant": constant}


def make_schedule(recipe: Mapping, total: int) -> Schedule:
    """Return the schedule of a recipe over the whole training, all stages together.

    Parameters
    ----------
    recipe
        ``schedule``; in steps ``warmup``, ``timescale``, ``cooldown``; ``floor``.
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
    defaults = {"warmup": 0, "timescale": 1, "cooldown": 0, "floor": 0.0}
    chosen = {key: recipe.get(key, default) for key, default in defaults.items()}
    return partial(SCHEDULES[name], total=total, **chosen)


def _ramp(step: int, length: int) -> float:
    return min(1.0, step / length) if length else 1.0
