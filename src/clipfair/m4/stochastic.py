"""Algorithm 1 of *CLIP the Bias*: stochastic gradient ascent on the dual, example by example.

Two versions. ``project=False`` is Algorithm 1 as printed. It lists the penalty V but does not use it, since
v is not kept in [0, V], and so it does not solve eq. (4): without these bounds the constraints are
equalities for any eps (for eps > 0 the sum of v+ and v- decreases without limit, and mu compensates for it),
and it diverges if they cannot be satisfied. ``project=True`` clips v to [0, V] after each update, as the
proof in appendix A.2.1 assumes (0 <= v <= V); this converges to the optimum.
"""

from collections.abc import Iterator

import numpy as np

from clipfair.core.errors import UserError
from clipfair.m4.certificate import Solution, solution_of
from clipfair.m4.dual import Dual
from clipfair.m4.problem import Problem, bias_vector, to_signed


def solve(
    problem: Problem,
    *,
    rng: np.random.Generator,
    updates: int,
    learning_rate: float = 1.0,
    batch_size: int = 1,
    project: bool = True,
) -> Solution:
    """Run Algorithm 1 and return its last iterate, with the exact mu for its v.

    Parameters
    ----------
    updates : number of updates, each of ``batch_size`` examples.
    learning_rate : tau_0 of the schedule tau_t = tau_0 / sqrt(t) of Proposition 2.
    batch_size : examples in an update, whose gradients are averaged; 1 as printed.
    project : keep v in [0, V].
    """
    steps = iterate(
        problem,
        rng=rng,
        learning_rate=learning_rate,
        batch_size=batch_size,
        project=project,
        yield_every=updates,
    )
    _, v, _ = next(steps)
    return finish(Dual(problem), v)


def finish(dual: Dual, v: np.ndarray) -> Solution:
    """The solution at dual variables v: exact mu, weights, certificate."""
    w = to_signed(v, groups=len(dual.problem.settings.target))
    return solution_of(dual, dual.evaluate(w), v=v)


def iterate(
    problem: Problem,
    *,
    rng: np.random.Generator,
    learning_rate: float = 1.0,
    batch_size: int = 1,
    project: bool = True,
    yield_every: int = 1,
) -> Iterator[tuple[int, np.ndarray, float]]:
    """Run Algorithm 1 without end, yielding (t, v, mu) after every ``yield_every`` updates.

    Examples are drawn with replacement: patterns in proportion to their counts. The yielded v is
    changed in place by the next update: copy it to keep it.
    """
    patterns, settings = problem.patterns, problem.settings
    if settings.eps_reading == "literal" and problem.tolerance.any():
        raise UserError("Algorithm 1 normalises eps: use eps_reading 'normalised', or the exact solver")
    rate, max_weight = settings.rate, settings.max_weight
    upper = np.cumsum(patterns.count)
    v, mu, t = np.zeros(2 * patterns.sensitive.shape[1] * (patterns.labels.shape[1] + 1)), 0.0, 0
    draws = iter(())
    while True:
        drawn = next(draws, None)
        if drawn is None:
            # Many batches are drawn and made dense at once; the order is the same as one at a time.
            batches = max(1, 4096 // batch_size)
            index = np.searchsorted(upper, rng.integers(upper[-1], size=batches * batch_size), side="right")
            block = (patterns.sensitive[index], patterns.labels[index].toarray(), patterns.utility[index])
            draws = zip(*(np.split(part, batches) for part in block), strict=True)
            continue
        t += 1
        sensitive, labels, utility = drawn
        # The steps of Algorithm 1, in its order.
        a = bias_vector(sensitive, labels, settings)
        omega = a @ v + mu
        beta = np.maximum(omega - rate * utility, 0.0)
        alpha = np.maximum(utility * (rate - max_weight) - omega, 0.0)
        q = rate - (omega + alpha - beta) / utility
        tau = learning_rate / np.sqrt(t)
        # The printed gradients, eq. (10), are those of the dual divided by eta.
        v += tau * (q / rate @ a) / batch_size
        if project:
            np.clip(v, 0.0, settings.penalty, out=v)
        mu += tau * (q.mean() / rate - 1.0)
        if t % yield_every == 0:
            yield t, v, mu
