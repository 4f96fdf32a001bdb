"""Certificates: bounds on the optimum of eq. (4) that hold for a solution of any algorithm."""

from dataclasses import dataclass

import numpy as np

from clipfair.m4.dual import Dual, Point
from clipfair.m4.problem import eps_offset, from_signed

# Objectives below this share of eta^2 E[u] / 2 count as zero: the weights differ from eta by at most a
# thousandth of it (root mean square), and a gap relative to such an objective would only measure rounding.
_ZERO_OBJECTIVE = 1e-6
# Smaller violations count as zero: just below the largest feasible rate a multiplier may reach V although
# its constraint holds.
_ROUNDING = 1e-12
# Smaller errors of the mean weight, relative to eta, are those of summation and count as zero.
_MEAN_ROUNDING = 1e-14


@dataclass(frozen=True)
class Certificate:
    """Bounds on the optimum of eq. (4), and the state of every constraint.

    Matrices are (m, c+1): group k and label r, representation last.

    Attributes
    ----------
    primal : objective of the weights, an upper bound on the optimum.
    dual : a lower bound on the optimum.
    gap : primal - dual, computed as a sum of terms >= 0 to avoid cancellation. One of them is the price of
        the error of the mean weight, |mu| |E[q] - eta|; violations enter at the price V.
        The weights q are near the optimal q*: E[u (q - q*)^2] <= 2 gap.
    relative_gap : gap / primal, and at least |E[q] - eta| / eta.
    mean_error : |E[q] - eta|; 0 up to rounding, unless the utilities differ by many orders of magnitude.
    violation : how far |E[q g]| exceeds its bound, >= 0.
    binding : constraints that hold and change the weights: their multiplier is not 0.
    unsatisfied : constraints that are violated at the price of V: their multiplier is V.
    """

    primal: float
    dual: float
    gap: float
    relative_gap: float
    mean_error: float
    violation: np.ndarray
    binding: np.ndarray
    unsatisfied: np.ndarray


@dataclass(frozen=True)
class Solution:
    """Dual variables and the weights that follow from them.

    Attributes
    ----------
    v : (2m(c+1),) in the order of Algorithm 2.
    mu : such that the weights have mean eta.
    weights : (N,) q of each pattern, in [0, Q].
    certificate : bounds on the optimum, and the violations.
    """

    v: np.ndarray
    mu: float
    weights: np.ndarray
    certificate: Certificate


def gap_terms(w: np.ndarray, residual: np.ndarray, *, tolerance: np.ndarray, penalty: float) -> np.ndarray:
    """The duality gap at |w| <= V by constraint, (m, c+1), each term >= 0.

    With r = E[q g] and x = |r| - b: (V - |w|) [x]^+ + |w| [-x]^+ + (|w| |r| - w r).
    """
    size = np.abs(w)
    excess = np.abs(residual) - tolerance
    opposed = size * np.abs(residual) - w * residual
    return (penalty - size) * np.maximum(excess, 0) + size * np.maximum(-excess, 0) + opposed


def relative_gap(gap: float, *, primal: float, dual: Dual) -> float:
    """gap / primal, where a primal that is zero up to rounding is replaced by a lower limit."""
    patterns, settings = dual.problem.patterns, dual.problem.settings
    floor = _ZERO_OBJECTIVE * settings.rate**2 * (dual.share @ patterns.utility) / 2
    return float(gap / max(primal, floor))


def certify(dual: Dual, point: Point) -> Certificate:
    """Certify the weights of a point; outside of |w| <= V the bound is that of its projection."""
    settings, utility = dual.problem.settings, dual.problem.patterns.utility
    bound = point
    if np.abs(point.w).max() > settings.penalty:
        bound = dual.evaluate(np.clip(point.w, -settings.penalty, settings.penalty), mu=point.mu)

    # For each pattern: the excess of q over the minimiser of the Lagrangian at the bound's multipliers.
    slope = utility * ((point.weights + bound.weights) / 2 - settings.rate) + dual.score(bound.w) + bound.mu
    excess = (point.weights - bound.weights) * slope
    constraints = gap_terms(bound.w, point.residual, tolerance=dual.tolerance, penalty=settings.penalty)
    gap = float(dual.share @ np.maximum(excess, 0) + constraints.sum())
    mean_error = max(_mean_error(dual, point), _mean_error(dual, bound))
    price = abs(bound.mu) * mean_error
    gap += price

    violation = np.maximum(np.abs(point.residual) - dual.tolerance, 0)
    deviation = dual.share @ (utility * (point.weights - settings.rate) ** 2) / 2
    primal = float(deviation + settings.penalty * violation.sum())
    size = np.abs(bound.w)
    unsatisfied = (size >= settings.penalty * (1 - 1e-12)) & (violation > _ROUNDING)
    return Certificate(
        primal=primal,
        dual=bound.value - price,
        gap=gap,
        relative_gap=max(relative_gap(gap, primal=primal, dual=dual), mean_error / settings.rate),
        mean_error=mean_error,
        violation=violation,
        binding=(size > 0) & ~unsatisfied,
        unsatisfied=unsatisfied,
    )


def _mean_error(dual: Dual, point: Point) -> float:
    """|E[q] - eta|, or 0 where that is rounding."""
    rate = dual.problem.settings.rate
    error = abs(float(dual.share @ point.weights) - rate)
    return error if error > _MEAN_ROUNDING * rate else 0.0


def solution_of(dual: Dual, point: Point, *, v: np.ndarray | None = None) -> Solution:
    """The solution at a point in the paper's variables: ``v``, or by default the smallest v that gives w."""
    v = from_signed(point.w) if v is None else v
    # In eq. (5) the bias vectors have eps subtracted; mu compensates for it.
    mu = point.mu + eps_offset(v, dual.problem.settings)
    return Solution(v=v, mu=mu, weights=point.weights, certificate=certify(dual, point))
