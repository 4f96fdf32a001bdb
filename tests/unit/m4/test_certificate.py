from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clipfair.m4 import M4Settings, Problem, collapse, solve
from clipfair.m4.certificate import certify
from clipfair.m4.dual import Dual

CASES = [
    {"rate": 0.5},
    {"rate": 0.9, "penalty": 0.5},
    {"rate": 0.7, "eps_association": 0.01, "eps_representation": 0.03},
    {"rate": 0.7, "eps_association": 0.01, "eps_reading": "literal"},
    {"rate": 1.0, "max_weight": np.inf},
]


@pytest.mark.parametrize("case", CASES)
def test_any_multipliers_bound_the_optimum(case, random_patterns):
    problem = Problem(
        random_patterns(200, 2, 3, seed=3, utilities=True), M4Settings(np.array([0.4, 0.5]), **case)
    )
    dual, best = Dual(problem), solve(problem)
    utility, share, penalty = problem.patterns.utility, dual.share, problem.settings.penalty

    # Outside the box too, as Algorithm 1 without its projection leaves it.
    @settings(max_examples=60, deadline=None)
    @given(arrays(float, (2, 4), elements=st.floats(-1.5, 1.5)))
    def check(direction):
        point = dual.evaluate(penalty * direction)
        certificate = certify(dual, point)
        assert share @ point.weights == pytest.approx(problem.settings.rate, rel=1e-9)
        assert certificate.gap >= 0
        assert certificate.dual <= best.certificate.primal + 1e-9
        assert certificate.primal >= best.certificate.dual - 1e-9
        assert certificate.gap == pytest.approx(certificate.primal - certificate.dual, abs=1e-9)
        distance = share @ (utility * (point.weights - best.weights) ** 2)
        assert distance <= 2 * certificate.gap + 1e-9

    check()


@pytest.mark.parametrize("case", CASES)
def test_residual_and_curvature_are_derivatives(case, random_patterns):
    problem = Problem(
        random_patterns(200, 2, 3, seed=4, utilities=True), M4Settings(np.array([0.4, 0.5]), **case)
    )
    dual = Dual(problem)
    w = np.random.default_rng(0).normal(0, 0.1, (2, 4))
    point = dual.evaluate(w)
    kinks = np.abs(w) * dual.tolerance

    def smooth(x):
        return dual.evaluate(x).value + (np.abs(x) * dual.tolerance).sum()

    h = 1e-6
    basis = np.eye(8).reshape(8, 2, 4)
    slope = [(smooth(w + h * e) - smooth(w - h * e)) / (2 * h) for e in basis]
    np.testing.assert_allclose(slope, point.residual.ravel(), atol=1e-8)
    bend = [
        (dual.evaluate(w + h * e).residual - dual.evaluate(w - h * e).residual).ravel() / (2 * h)
        for e in basis
    ]
    np.testing.assert_allclose(dual.curvature(point.weights), -np.array(bend), atol=1e-8)
    assert point.value == pytest.approx(smooth(w) - kinks.sum())


def test_moments_are_the_dense_ones(random_patterns):
    patterns = random_patterns(100, 3, 3, seed=2)
    dual = Dual(Problem(patterns, M4Settings(np.array([0.2, 0.4, 0.8]), 0.5)))
    extended = np.hstack([patterns.labels.toarray(), np.ones((len(patterns.count), 1))])
    g = (patterns.sensitive - dual.problem.settings.target)[:, :, None] * extended[:, None, :]
    np.testing.assert_allclose(dual.moments().toarray(), g.reshape(len(g), -1), atol=1e-15)
    w = np.random.default_rng(1).normal(size=(3, 4))
    np.testing.assert_allclose(dual.score(w), np.einsum("ikr,kr->i", g, w), atol=1e-13)


def test_an_error_of_the_mean_weight_has_its_price(random_patterns):
    problem = Problem(random_patterns(200, 2, 3, seed=5), M4Settings(np.array([0.4, 0.5]), 0.5))
    dual, best = Dual(problem), solve(problem)
    point = dual.evaluate(np.zeros((2, 4)))
    exact = certify(dual, point)
    assert exact.mean_error == 0
    shifted = replace(point, weights=point.weights + 0.01, mu=0.3)
    certificate = certify(dual, shifted)
    assert certificate.mean_error == pytest.approx(0.01)
    assert certificate.gap >= 0.3 * 0.01
    assert certificate.relative_gap >= 0.01 / 0.5
    assert certificate.dual <= best.certificate.primal


@pytest.mark.parametrize("penalty", [1e15, 1e300])
def test_a_price_beyond_the_precision_of_floats_leaves_a_gap(random_patterns, penalty):
    patterns = random_patterns(300, 2, 3, seed=6)
    certificate = solve(Problem(patterns, M4Settings(np.array([0.4, 0.5]), 0.9, penalty=penalty))).certificate
    violation_price = penalty * certificate.violation.sum()
    assert certificate.primal >= violation_price
    # Either the gap is small, or the certificate says so; it never claims an optimum that rounding hides.
    if violation_price > 1e-6 * certificate.primal and not certificate.unsatisfied.any():
        assert certificate.relative_gap > 1e-6


@pytest.mark.parametrize("penalty", [10.0, 1e7])
def test_utilities_of_many_orders_of_magnitude(penalty):
    rng = np.random.default_rng(0)
    sensitive, labels = rng.integers(0, 2, (2000, 2)), rng.integers(0, 2, (2000, 3))
    patterns, _ = collapse(sensitive, labels, 10.0 ** rng.uniform(-6, 6, 2000))
    solution = solve(Problem(patterns, M4Settings(np.array([0.4, 0.5]), 0.9, penalty=penalty)))
    error = abs(patterns.share @ solution.weights - 0.9)
    assert solution.certificate.relative_gap >= 0.99 * error / 0.9 or error < 1e-13
