"""M4, the data balancing of *CLIP the Bias* (section 5 and appendix A.2), on arrays.

patterns, index = collapse(sensitive, labels)
solution = solve(Problem(patterns, M4Settings(target=pi, rate=0.9)))
weights = solution.weights[index]
"""

from clipfair.m4.certificate import Certificate, Solution
from clipfair.m4.exact import solve
from clipfair.m4.problem import M4Settings, Patterns, Problem, bias_vector, collapse, weights
from clipfair.m4.rate import max_rate

__all__ = [
    "Certificate",
    "M4Settings",
    "Patterns",
    "Problem",
    "Solution",
    "bias_vector",
    "collapse",
    "max_rate",
    "solve",
    "weights",
]
