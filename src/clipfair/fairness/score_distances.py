"""How far the scores of each group are from those of everybody, on the test split (section 4).

The score of an example is a number (its image's logit with its own note), so the optimal transport is
known: it pairs sorted scores. Three figures say the same of it differently:

- ``wasserstein``: W2^2 / 2, exact.
- ``scale_free``: the same over the variance of all scores: what is left if a model only shrinks or
  stretches its scores, which is what changes the other two most.
- ``sinkhorn``: as the reproduction's released evaluation computes it: geomloss's debiased divergence with
  p = 2, blur 1e-4, scaling 0.95 and **diameter 2**. Scores range further than 2, so that its annealing
  starts too low and ends before it has converged: a number that depends on the path, not a distance.
  It is here to be compared with the published one.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

BLUR, DIAMETER, SCALING = 1e-4, 2.0, 0.95


def half_squared_wasserstein(x: np.ndarray, y: np.ndarray) -> float:
    """W2^2 / 2 between two samples, exactly: the mean of (x_q - y_q)^2 / 2 over the quantiles q.

    Parameters
    ----------
    x, y : (n,) and (m,), n and m >= 1, in the score's unit.
    """
    x, y = np.sort(np.asarray(x, dtype=np.float64)), np.sort(np.asarray(y, dtype=np.float64))
    n, m = len(x), len(y)
    # Where either quantile function steps, in units of 1 / (n m), whole numbers.
    steps = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    widths = np.diff(steps, prepend=0) / (n * m)
    return float(widths @ (x[(steps - 1) // m] - y[(steps - 1) // n]) ** 2 / 2)


def scale_free(x: np.ndarray, everybody: np.ndarray) -> float:
    """W2^2 / 2 over the variance of ``everybody``; NaN if all their scores are equal."""
    variance = np.var(np.asarray(everybody, dtype=np.float64))
    return half_squared_wasserstein(x, everybody) / variance if variance > 0 else float("nan")


class ReleasedSinkhorn:
    """The released evaluation's Sinkhorn divergence of samples from one population.

    It is geomloss's algorithm step by step, in the precision of the scores (float32 as released); what
    concerns the population alone is computed once, for all groups.

    Parameters
    ----------
    everybody : (n,) scores, n >= 1.
    """

    def __init__(
        self,
        everybody: np.ndarray,
        *,
        blur: float = BLUR,
        diameter: float = DIAMETER,
        scaling: float = SCALING,
    ):
        self.everybody = np.asarray(everybody)
        self.temperatures = _temperatures(blur, diameter, scaling)
        self.own = self._with_itself(self.everybody)

    def __call__(self, group: np.ndarray) -> float:
        """The divergence of the (m,) scores ``group`` from everybody's; may be negative, unconverged."""
        group = np.asarray(group, dtype=self.everybody.dtype)
        of_all, of_group = self._between(self.everybody, group)
        return float((of_all - self.own).mean() + (of_group - self._with_itself(group)).mean())

    def _with_itself(self, x: np.ndarray) -> np.ndarray:
        cost, mass = _cost(x, x), x.dtype.type(-math.log(len(x)))
        potential = _softmin(self.temperatures[0], cost, np.full_like(x, mass))
        for temperature in self.temperatures:
            again = _softmin(temperature, cost, mass + potential / x.dtype.type(temperature))
            potential = (potential + again) / 2
        return _softmin(temperature, cost, mass + potential / x.dtype.type(temperature))

    def _between(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        number = x.dtype.type
        cost = _cost(x, y)
        back = np.ascontiguousarray(cost.T)
        mass_x, mass_y = number(-math.log(len(x))), number(-math.log(len(y)))
        f = _softmin(self.temperatures[0], cost, np.full_like(y, mass_y))
        g = _softmin(self.temperatures[0], back, np.full_like(x, mass_x))
        for temperature in self.temperatures:
            f_again = _softmin(temperature, cost, mass_y + g / number(temperature))
            g_again = _softmin(temperature, back, mass_x + f / number(temperature))
            f, g = (f + f_again) / 2, (g + g_again) / 2
        return (
            _softmin(temperature, cost, mass_y + g / number(temperature)),
            _softmin(temperature, back, mass_x + f / number(temperature)),
        )


def _temperatures(blur: float, diameter: float, scaling: float) -> list[float]:
    """From diameter^2 down to blur^2, each scaling^2 of the one before."""
    between = np.arange(2 * math.log(diameter), 2 * math.log(blur), 2 * math.log(scaling))
    return [diameter**2, *np.exp(between).tolist(), blur**2]


def _cost(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x[:, None] - y[None, :]) ** 2 / 2


def _softmin(temperature: float, cost: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """-t log sum_j exp(log_weights_j - cost_ij / t)."""
    temperature = cost.dtype.type(temperature)
    exponents = cost * (-1 / temperature)
    exponents += log_weights
    largest = exponents.max(axis=1, keepdims=True)
    exponents -= largest
    np.exp(exponents, out=exponents)
    return -temperature * (largest[:, 0] + np.log(exponents.sum(axis=1)))


def distances_to(
    everybody: np.ndarray, names: tuple[str, ...]
) -> Mapping[str, Callable[[np.ndarray], float]]:
    """The named distances of a group's scores to those of ``everybody``."""
    make = {
        "sinkhorn": lambda: ReleasedSinkhorn(everybody.astype(np.float32)),
        "wasserstein": lambda: lambda group: half_squared_wasserstein(group, everybody),
        "scale_free": lambda: lambda group: scale_free(group, everybody),
    }
    return {name: make[name]() for name in names}


DISTANCES = ("sinkhorn", "wasserstein", "scale_free")
