"""The dual of M4 as a function of the signed multipliers w: value, gradient and curvature.

With g_kr = (s_k - pi_k) y_r (y_c = 1 for representation) and the exact mu for each w, the dual of eq. (4)
(appendix A.2.1) is to maximise over |w| <= V

    D(w) = min over {0 <= q <= Q, E[q] = eta} of E[u (q - eta)^2] / 2 + w . E[q g]  -  b . |w|,

where b is the tolerance. It has half the variables of the paper's v = (v+, v-), 2m(c+1) numbers of which an
optimum needs one in each pair, and no mu. D is concave and its smooth part piecewise quadratic.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from clipfair.m4.problem import Problem, distinct_rows


@dataclass(frozen=True)
class Point:
    """A point at which the dual was evaluated, and its primal weights.

    Attributes
    ----------
    w : (m, c+1) signed multipliers.
    mu : the multiplier of E[q] = eta (without the offset of eps).
    weights : (N,) minimiser q; its mean is eta up to rounding.
    residual : (m, c+1), E[q g].
    value : D(w).
    """

    w: np.ndarray
    mu: float
    weights: np.ndarray
    residual: np.ndarray
    value: float


class Dual:
    """Evaluates the dual of a problem.

    g depends on s only through the few distinct rows of s. With one block of c+1 columns for each
    of those, G = B T: B is sparse, (N, blocks * (c+1)), and holds [y, 1] in the block of the example's s;
    T multiplies a block by z = s - pi. A product with G then costs one pass over the labels that are
    present, for any m, and G'CG needs one sparse product.
    """

    def __init__(self, problem: Problem):
        patterns, settings = problem.patterns, problem.settings
        self.problem = problem
        self.share = patterns.share
        self.tolerance = problem.tolerance
        self.columns = patterns.labels.shape[1] + 1
        attributes, block = distinct_rows(patterns.sensitive)
        self.centred = attributes - settings.target
        self._matrix = _blocked(patterns.labels, block, blocks=len(attributes))
        self._transpose = self._matrix.T.tocsr()

    def score(self, w: np.ndarray) -> np.ndarray:
        """w . g of every pattern, (N,)."""
        return self._matrix @ (self.centred.T[:, :, None] * w[:, None, :]).sum(axis=0).ravel()

    def residual(self, weights: np.ndarray) -> np.ndarray:
        """E[q g], (m, c+1)."""
        return self.centred.T @ (self._transpose @ (self.share * weights)).reshape(-1, self.columns)

    def moments(self) -> sparse.csr_array:
        """G itself, sparse, (N, m(c+1)), in the order of ``w.ravel()``."""
        return self._matrix @ self._spread()

    def evaluate(self, w: np.ndarray, *, mu: float = 0.0) -> Point:
        """The dual at w; the search for the exact mu starts at ``mu``."""
        settings, utility = self.problem.settings, self.problem.patterns.utility
        score = self.score(w)
        mu = self.exact_mu(score, start=mu)
        weights = np.clip(settings.rate - (score + mu) / utility, 0.0, settings.max_weight)
        residual = self.residual(weights)
        deviation = self.share @ (utility * (weights - settings.rate) ** 2) / 2
        value = deviation + (w * residual).sum() - (np.abs(w) * self.tolerance).sum()
        return Point(w=w, mu=mu, weights=weights, residual=residual, value=float(value))

    def exact_mu(self, score: np.ndarray, *, start: float = 0.0) -> float:
        """The mu at which the weights have mean eta: root of a falling piecewise linear function.

        Newton's method within a bracket; it ends on the linear piece of the root and is therefore exact.
        """
        rate, max_weight = self.problem.settings.rate, self.problem.settings.max_weight
        utility = self.problem.patterns.utility
        # Every weight is at least eta at the lower end, and at most eta at the upper end.
        low, high = -score.max(), -score.min()
        mu = min(max(start, low), high)
        while True:
            unclipped = rate - (score + mu) / utility
            excess = self.share @ np.clip(unclipped, 0.0, max_weight) - rate
            low, high = (mu, high) if excess > 0 else (low, mu)
            slope = (self.share / utility) @ ((unclipped > 0) & (unclipped < max_weight))
            proposal = mu + excess / slope if slope > 0 else low + (high - low) / 2
            if not low < proposal < high:
                proposal = low + (high - low) / 2
            if abs(excess) <= 1e-16 * rate or proposal in (low, high):
                return mu
            mu = proposal

    def curvature(self, weights: np.ndarray) -> np.ndarray:
        """Minus the Hessian of the smooth part, (m(c+1), m(c+1)): the covariance of g, weighted by
        share / u, over the patterns whose weight is strictly between 0 and Q."""
        settings = self.problem.settings
        free = np.flatnonzero((weights > 0) & (weights < settings.max_weight))
        scale = self.share[free] / self.problem.patterns.utility[free]
        rows = self._matrix[free]
        weighted = sparse.diags_array(scale) @ rows
        spread = self._spread()
        second = (spread.T @ (rows.T @ weighted) @ spread).toarray()
        first = spread.T @ (rows.T @ scale)
        return second - np.outer(first, first) / scale.sum() if len(free) else second

    def _spread(self) -> sparse.csr_array:
        return sparse.kron(self.centred, sparse.eye_array(self.columns), format="csr")


def _blocked(labels: sparse.csr_array, block: np.ndarray, *, blocks: int) -> sparse.csr_array:
    n, c = labels.shape
    extended = sparse.hstack([labels, np.ones((n, 1))], format="csr")
    columns = extended.indices + (c + 1) * np.repeat(block, np.diff(extended.indptr))
    data = extended.data.astype(float)
    return sparse.csr_array((data, columns, extended.indptr), shape=(n, blocks * (c + 1)))
