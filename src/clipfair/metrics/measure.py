"""One value of an evaluation: a row of metrics.json."""

from typing import NamedTuple

import numpy as np


class Measure(NamedTuple):
    """One value of an evaluation.

    Attributes
    ----------
    metric : its name.
    label : the class, occupation or attribute that it is of; None for all.
    group : the group of examples that it is of; None for all.
    value : None where it is undefined.
    n : the number of examples that it is computed from.
    low, high : the 95% bootstrap interval; None without one.
    reason : why the value is undefined; None if it is defined.
    """

    metric: str
    label: str | None
    group: str | None
    value: float | None
    n: int
    low: float | None
    high: float | None
    reason: str | None


def make_measure(
    metric: str,
    value: float | None,
    *,
    n: int,
    label: str | None = None,
    group: str | None = None,
    interval: tuple[float, float] | None = None,
    reason: str | None = None,
) -> Measure:
    """A measure in plain Python numbers.

    Parameters
    ----------
    value
        A share in [0, 1], a loss in nats, ...; None or NaN where it is undefined, which needs a ``reason``.
    interval
        The 95% bootstrap interval; ignored if the value is undefined.

    Raises
    ------
    ValueError
        If a reason is missing for an undefined value, or given for a defined one.
    """
    undefined = value is None or bool(np.isnan(value))
    if undefined != (reason is not None):
        raise ValueError(f"{metric}: value {value} with reason {reason}; expected one of the two")
    low, high = (None, None) if interval is None or undefined else map(float, interval)
    return Measure(metric, label, group, None if undefined else float(value), int(n), low, high, reason)
