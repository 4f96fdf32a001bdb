"""The exact solver: a projected semismooth Newton method on the dual, to machine precision.

Each iteration maximises the dual's quadratic model over the box |w| <= V (and, where a tolerance
makes |w| matter at w = 0, over the orthant of steepest ascent), then searches along the segment to that
maximum. The number of iterations, tens at most, does not depend on the number of examples. The paper's own
algorithm is stochastic gradient ascent on the same dual: :mod:`clipfair.m4.stochastic`.
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from threadpoolctl import threadpool_limits

from clipfair.m4.certificate import Solution, gap_terms, relative_gap, solution_of
from clipfair.m4.dual import Dual, Point
from clipfair.m4.problem import Problem

# Levenberg damping, relative to the curvature of each variable. Redundant constraints (a group and
# its complement) and labels that never occur make the curvature singular.
_MIN_DAMPING, _FIRST_DAMPING, _MAX_DAMPING = 1e-13, 1e-8, 1e9

# A V beyond this multiple of eta E[u] is reached in steps of this factor.
_FIRST_PENALTY, _GROWTH = 30.0, 3.0


# The matrices have the size of the constraints: several threads cost more than they save, and on
# a busy machine a hundred times more.
@threadpool_limits.wrap(limits=1, user_api="blas")
def solve(
    problem: Problem,
    *,
    tolerance: float = 1e-12,
    max_iterations: int = 500,
    on_iteration: Callable[[int, float], None] | None = None,
) -> Solution:
    """Solve eq. (4) exactly.

    Parameters
    ----------
    tolerance : relative duality gap to stop at. If rounding allows no more progress the solver stops
        before that; the certificate has the gap that was reached.
    max_iterations : limit for each of the penalties up to V; there is only V itself unless V is large.
    on_iteration : called with the iteration and the smallest relative gap so far.
    """
    dual = Dual(problem)
    point = dual.evaluate(np.zeros((len(problem.settings.target), dual.columns)))
    iterations = itertools.count()
    penalties = _penalties(problem)
    for penalty in penalties:
        if penalty > penalties[0]:
            # The multiplier of a violated constraint is V and scales with it; the others do not.
            scaled = dual.evaluate(point.w * _GROWTH, mu=point.mu * _GROWTH)
            point = max(point, scaled, key=lambda candidate: candidate.value)
        goal = tolerance if penalty == penalties[-1] else max(tolerance, 1e-3)
        best, best_gap, damping, idle, value = point, np.inf, _FIRST_DAMPING, 0, -np.inf
        for _ in range(max_iterations):
            gap = _relative_gap(dual, point, penalty)
            closer = gap < best_gap / 2
            if gap < best_gap:
                best, best_gap = point, gap
            if on_iteration:
                on_iteration(next(iterations), best_gap)
            # No progress beyond rounding: neither the gap nor the dual changes.
            idle = 0 if closer or point.value > value + 1e-14 * abs(value) else idle + 1
            if best_gap <= goal or idle > 15:
                break
            value = max(value, point.value)
            point, damping = _newton_step(dual, point, damping, penalty)
        point = best
    return solution_of(dual, point)


def _penalties(problem: Problem) -> list[float]:
    """The increasing penalties, up to V, to solve for one after the other.

    With a large V and constraints that cannot be satisfied the problem is close to a linear program, and the
    multipliers, at V, are far from the start at 0: the solution for each penalty is the start for the next.
    """
    patterns, settings = problem.patterns, problem.settings
    first = _FIRST_PENALTY * settings.rate * (patterns.share @ patterns.utility)
    count = max(0, math.ceil(math.log(settings.penalty / first, _GROWTH)))
    return [settings.penalty / _GROWTH**step for step in range(count, -1, -1)]


def _relative_gap(dual: Dual, point: Point, penalty: float) -> float:
    gap = gap_terms(point.w, point.residual, tolerance=dual.tolerance, penalty=penalty).sum()
    return relative_gap(gap, primal=point.value + gap, dual=dual)


def _newton_step(dual: Dual, point: Point, damping: float, penalty: float) -> tuple[Point, float]:
    """The next point and damping; the same point if no ascent exceeds rounding."""
    w = point.w.ravel()
    kink = dual.tolerance.ravel()
    gradient, low, high = _smooth_face(w, -point.residual.ravel(), kink, penalty)
    curvature = dual.curvature(point.weights)
    # Scaled by its own curvature, a rare label has the same influence as a common one.
    scale = np.sqrt(np.maximum(curvature.diagonal(), 1e-16))
    curvature /= np.outer(scale, scale)
    # Rounding may have moved w slightly out of its box.
    below, above = np.minimum(low - w, 0) * scale, np.maximum(high - w, 0) * scale
    while damping < _MAX_DAMPING:
        model = curvature + damping * np.eye(len(w))
        direction = _box_minimum(model, gradient / scale, below, above) / scale
        slope = -gradient @ direction
        if slope > 0:
            moved, step = _line_search(dual, point, direction, kink, slope, penalty)
            change = 0.1 if step == 1 else 10.0 if step < 0.1 else 1.0
            return moved, max(damping * change, _MIN_DAMPING)
        damping *= 1e3
    return point, damping


def _smooth_face(
    w: np.ndarray, slope: np.ndarray, kink: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradient of -D at w, and the box around w in which -D is smooth: no w changes its sign."""
    right, left = slope + kink, slope - kink
    at_zero = np.where(right < 0, right, np.where(left > 0, left, 0.0))
    gradient = np.where(w > 0, right, np.where(w < 0, left, at_zero))
    side = np.where(w != 0, np.sign(w), -np.sign(gradient))
    low = np.where((kink == 0) | (side < 0), -penalty, 0.0)
    high = np.where((kink == 0) | (side > 0), penalty, 0.0)
    return gradient, low, high


def _box_minimum(matrix: np.ndarray, gradient: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Minimise gradient'x + x'Mx / 2 over a box around 0, by projected Newton steps from 0."""
    x, slope = np.zeros(len(gradient)), gradient
    for _ in range(50):
        # A variable close to a bound that its gradient points beyond would shorten every step: such variables
        # are held as well (Bertsekas, 1982), and move to their bound by a gradient step.
        reach = np.abs(np.clip(x - slope, low, high) - x).max()
        near = np.minimum(reach, 1e-3 * (high - low))
        fixed = _held(x, slope, low + near, high - near)
        free = np.flatnonzero(~fixed)
        direction = -slope
        direction[free] = -_positive_solve(matrix[np.ix_(free, free)], slope[free])
        inside = bool(((x + direction >= low) & (x + direction <= high))[free].all())
        step, gain, enough = 2.0, 0.0, False
        while not enough and step > 1e-4:
            step /= 2
            move = np.clip(x + step * direction, low, high) - x
            gain = -(slope @ move + move @ (matrix @ move) / 2)
            enough = gain >= -1e-4 * (slope @ move)
        if gain <= 0:
            return x
        x = x + move
        slope = gradient + matrix @ x
        # The free variables are at their optimum, and the others at bounds that their slopes point beyond.
        if step == 1 and inside and _held(x, slope, low, high)[fixed].all():
            return x
    return x


def _held(x: np.ndarray, slope: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """True for variables that lie on a bound and whose slope points beyond it."""
    return ((x <= low) & (slope >= 0)) | ((x >= high) & (slope <= 0))


def _positive_solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    try:
        return cho_solve(cho_factor(matrix), right)
    except LinAlgError:  # singular up to rounding: the diagonal still gives a descent direction
        return right / matrix.diagonal()


def _line_search(
    dual: Dual, point: Point, direction: np.ndarray, kink: np.ndarray, start: float, penalty: float
) -> tuple[Point, float]:
    """The maximum of D along a segment, or its end, and the step there.

    Only slopes are compared: near the optimum the values of D differ by less than rounding.
    """
    w = point.w.ravel()
    low, high, slope_low, slope_high = 0.0, 1.0, start, 0.0
    step = 1.0
    while True:
        trial = np.clip(w + step * direction, -penalty, penalty)
        moved = dual.evaluate(trial.reshape(point.w.shape), mu=point.mu)
        # The segment stays in one orthant, that of its midpoint.
        slope = direction @ (moved.residual.ravel() - kink * np.sign(2 * w + step * direction))
        is_ascent = moved.value >= point.value - 1e-14 * abs(point.value)
        if (abs(slope) <= 0.1 * start and is_ascent) or (step == 1 and slope > 0) or high - low < 1e-9:
            return moved, step
        if slope > 0:
            low, slope_low = step, slope
        else:
            high, slope_high = step, slope
        # The root of the secant, kept away from the ends of the bracket.
        step = low + (high - low) * min(max(slope_low / (slope_low - slope_high), 0.1), 0.9)
