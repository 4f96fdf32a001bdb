import numpy as np
import pytest
from scipy import sparse

from clipfair.m4 import M4Settings, Patterns, Problem, max_rate, solve

READINGS = [{}, {"eps_association": 0.01, "eps_representation": 0.02}]
READINGS += [READINGS[1] | {"eps_reading": "literal"}, {"eps_representation": 0.05}]


@pytest.mark.parametrize("eps", READINGS)
@pytest.mark.parametrize("max_weight", [1.0, 2.0])
def test_constraints_hold_just_below_and_not_just_above(eps, max_weight, random_patterns):
    patterns = random_patterns(150, 3, 4, seed=5)
    target = patterns.share @ patterns.sensitive
    rate = max_rate(patterns, target, max_weight=max_weight, **eps)
    assert 0 < rate < max_weight
    settings = {"target": target, "max_weight": max_weight, "penalty": 1000.0, **eps}
    below = solve(Problem(patterns, M4Settings(rate=rate * (1 - 1e-3), **settings))).certificate
    above = solve(
        Problem(patterns, M4Settings(rate=min(rate * (1 + 1e-3), max_weight), **settings))
    ).certificate
    assert below.violation.max() < 1e-8
    assert above.violation.max() > 1e-6


def test_scales_with_the_limit(random_patterns):
    patterns = random_patterns(400, 2, 3, seed=5)
    target = patterns.share @ patterns.sensitive
    assert max_rate(patterns, target, max_weight=3.0) == pytest.approx(3 * max_rate(patterns, target))
    assert max_rate(patterns, target, max_weight=np.inf) == np.inf


def test_zero_when_nothing_can_satisfy(random_patterns):
    patterns = Patterns(
        np.array([[1], [1]]), sparse.csr_array(np.array([[1.0], [0.0]])), np.ones(2), np.array([3, 4])
    )
    assert max_rate(patterns, np.array([0.5])) == 0
    assert max_rate(patterns, np.array([0.5]), max_weight=np.inf) == 0
