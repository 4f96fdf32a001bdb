"""Power of paired t tests and of tests of equivalence (TOST), for differences of independent units.

scipy is imported inside functions because importing it takes a second.
"""

from math import ceil, log2

import numpy as np


def difference_power(effect: float, sd: float, n: int, level: float) -> float:
    """The probability that a two-sided paired t test finds a mean difference ``effect``, in its direction.

    Parameters
    ----------
    effect, sd
        Mean and standard deviation of the difference of a unit; the same unit, sd > 0.
    n
        Units, at least 2.
    level
        Two-sided.
    """
    from scipy import stats

    critical = stats.t.ppf(1 - level / 2, n - 1)
    return float(stats.nct.sf(critical, n - 1, abs(effect) / sd * np.sqrt(n)))


def smallest_effect(sd: float, n: int, level: float, power: float) -> float:
    """The smallest mean difference that is found with probability ``power``."""
    low, high = 0.0, sd
    while difference_power(high, sd, n, level) < power:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if difference_power(middle, sd, n, level) < power else (low, middle)
    return high


def equivalence_power(sd: float, n: int, margin: float, level: float) -> float:
    """The probability that TOST finds equivalence within ``margin`` where the true difference is zero.

    The mean is normal and the variance is an independent chi-square: for each variance, the mean must be
    nearer to zero than the margin by the t quantile times its standard error.
    """
    from scipy import integrate, stats

    quantile, error = stats.t.ppf(1 - level, n - 1), sd / np.sqrt(n)
    largest = (n - 1) * (margin / (quantile * error)) ** 2  # beyond it the interval is wider than the margin

    def density(chi_square: float) -> float:
        room = margin - quantile * error * np.sqrt(chi_square / (n - 1))
        return stats.chi2.pdf(chi_square, n - 1) * (2 * stats.norm.cdf(room / error) - 1)

    upper = min(largest, stats.chi2.isf(1e-12, n - 1))
    return float(integrate.quad(density, 0, upper, limit=200)[0])


def needed_units(sd: float, effect: float, level: float, power: float) -> int:
    """The smallest number of units with which an effect is found with probability ``power``."""
    if effect == 0:
        raise ValueError("no number of units shows an effect of zero")
    low, high = 1, 2
    while difference_power(effect, sd, high, level) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if difference_power(effect, sd, middle, level) < power else (low, middle)
    return high


def fewest_units(claims: int, level: float) -> int:
    """The fewest units with which the exact sign-flip test can be significant at Holm's first step.

    With n units its smallest two-sided p-value is 2^(1 - n).
    """
    return 1 + ceil(log2(claims / level))
