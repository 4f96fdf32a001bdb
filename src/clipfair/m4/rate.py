"""The largest subsampling rate at which every constraint holds, by linear programming."""

from dataclasses import replace

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from clipfair.core.errors import UserError
from clipfair.m4.certificate import Solution
from clipfair.m4.dual import Dual
from clipfair.m4.exact import solve
from clipfair.m4.problem import M4Settings, Patterns, Problem

# How far below the largest feasible rate to stay, relatively: multipliers grow without bound there. At a
# part in a million one of them exceeded a penalty of 1000, at this none comes near it.
RATE_MARGIN = 1e-5

_UNBOUNDED = 3  # the status of scipy.optimize.linprog
_PENALTY_GROWTH, _LARGEST_PENALTY = 10.0, 1e6


def max_rate(
    patterns: Patterns,
    target: np.ndarray,
    *,
    max_weight: float = 1.0,
    eps_association: float = 0.0,
    eps_representation: float = 0.0,
    eps_reading: str = "normalised",
    pairs: np.ndarray | None = None,
) -> float:
    """The largest eta at which the bias constraints, eq. (3), can be satisfied (section 5).

    It is the optimum of max E[q] subject to 0 <= q <= Q and eq. (3), a linear program that HiGHS's interior
    point method solves: at 816 constraints (m = 4, c = 204) in 2 s for 14,000 patterns and 53 s for 204,000.
    The simplex method takes 89 s for the former.

    The constraints allow q = 0 and are convex, so every smaller rate is feasible too.

    Returns
    -------
    A rate in [0, Q]; 0 if only q = 0 satisfies the constraints, infinity if Q is infinite and the
    rate unbounded.
    """
    settings = M4Settings(
        target=target,
        rate=min(1.0, max_weight),
        max_weight=max_weight,
        eps_association=eps_association,
        eps_representation=eps_representation,
        eps_reading=eps_reading,
        pairs=pairs,
    )
    result = linprog(**_linear_program(Dual(Problem(patterns, settings))), method="highs-ipm")
    if result.status == _UNBOUNDED:
        return np.inf
    if not result.success:
        raise RuntimeError(f"HiGHS did not solve the linear program of the largest rate: {result.message}")
    # HiGHS satisfies constraints up to 1e-7: a smaller rate is 0.
    return 0.0 if -result.fun < 1e-7 else float(-result.fun)


def solve_at_max_rate(
    patterns: Patterns, settings: M4Settings, *, raise_penalty: bool
) -> tuple[float, M4Settings, Solution]:
    """The largest feasible rate, and the solution just below it.

    Parameters
    ----------
    settings : its rate is replaced by the largest one, less a part in 100,000.
    raise_penalty : raise V tenfold until no constraint is violated, or V exceeds a million.

    Returns
    -------
    The largest rate, the settings with the rate and V that were used, and their solution.

    Raises
    ------
    UserError
        If no rate > 0 satisfies every constraint.
    """
    largest = max_rate(
        patterns,
        settings.target,
        max_weight=settings.max_weight,
        eps_association=settings.eps_association,
        eps_representation=settings.eps_representation,
        eps_reading=settings.eps_reading,
        pairs=settings.pairs,
    )
    if largest == 0:
        raise UserError(
            "no rate satisfies every constraint: change the targets, or give a rate or tolerances"
        )
    settings = replace(settings, rate=largest * (1 - RATE_MARGIN))
    solution = solve(Problem(patterns, settings))
    while raise_penalty and solution.certificate.unsatisfied.any() and settings.penalty < _LARGEST_PENALTY:
        settings = replace(settings, penalty=settings.penalty * _PENALTY_GROWTH)
        solution = solve(Problem(patterns, settings))
    return largest, settings, solution


def _linear_program(dual: Dual) -> dict:
    """The arguments of ``linprog``: the variables are q of each pattern, then E[q].

    The variable E[q] keeps the rows of the normalised reading of eps sparse.
    """
    settings = dual.problem.settings
    moments, eps = _constraints(dual)
    mean = sparse.csr_array(np.append(dual.share, -1.0)[None, :])
    tight, loose = eps == 0, eps > 0
    normalised = settings.eps_reading == "normalised"
    allowed = (eps[loose] if normalised else np.zeros(loose.sum()))[:, None]
    equal = sparse.hstack([moments[tight], np.zeros((tight.sum(), 1))])
    below = [sparse.hstack([side * moments[loose], -allowed]) for side in (1, -1)]
    return {
        "c": np.append(np.zeros(len(dual.share)), -1.0),
        "A_eq": sparse.vstack([mean, equal], format="csr"),
        "b_eq": np.zeros(1 + tight.sum()),
        "A_ub": sparse.vstack(below, format="csr"),
        "b_ub": np.zeros(2 * loose.sum()) if normalised else np.tile(eps[loose], 2),
        "bounds": (0, settings.max_weight),
    }


def _constraints(dual: Dual) -> tuple[sparse.csr_array, np.ndarray]:
    """One row of share * g for each constraint on a label that occurs, and its eps, in the same order.

    Each row is scaled to a sum of absolute values of 1, so that the violation of a rare label is not
    mistaken for rounding.
    """
    settings, groups = dual.problem.settings, len(dual.problem.settings.target)
    eps = np.append(np.full(dual.columns - 1, settings.eps_association), settings.eps_representation)
    eps = np.tile(eps, groups)
    moments = (sparse.diags_array(dual.share) @ dual.moments()).T.tocsr()
    size = abs(moments).sum(axis=1)
    occurs = size > 0
    if settings.pairs is not None:
        occurs &= np.hstack([settings.pairs, np.ones((groups, 1), dtype=bool)]).ravel()
    return sparse.diags_array(1 / size[occurs]) @ moments[occurs], eps[occurs] / size[occurs]
