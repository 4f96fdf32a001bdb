import numpy as np
import pytest

from clipfair.core.errors import UserError
from clipfair.m4 import M4Settings, Problem, bias_vector, solve, stochastic

ADULT = [9918, 22732, 1769, 14423]


def literal_algorithm_1(problem, examples, *, learning_rate, project):
    """Algorithm 1, line by line, for the given sequence of patterns."""
    patterns, settings = problem.patterns, problem.settings
    labels = patterns.labels.toarray()
    eta, v, mu = settings.rate, None, 0.0
    for t, i in enumerate(examples, start=1):
        a = bias_vector(patterns.sensitive[i : i + 1], labels[i : i + 1], settings)[0]
        v = np.zeros(len(a)) if v is None else v
        u = patterns.utility[i]
        beta = max(v @ a + mu - eta * u, 0)
        alpha = max(u * (eta - settings.max_weight) - v @ a - mu, 0)
        q = eta - (v @ a + mu + alpha - beta) / u
        tau = learning_rate / np.sqrt(t)
        v = v + tau * q / eta * a
        mu = mu + tau * (q / eta - 1)
        if project:
            v = np.clip(v, 0, settings.penalty)
    return v, mu


@pytest.mark.parametrize("project", [True, False])
def test_one_example_at_a_time_is_algorithm_1(project, random_patterns):
    patterns = random_patterns(100, 2, 3, seed=0, utilities=True)
    problem = Problem(patterns, M4Settings(np.array([0.4, 0.5]), 0.6, penalty=0.05, eps_association=0.02))
    steps = stochastic.iterate(problem, rng=np.random.default_rng(3), project=project, yield_every=500)
    _, v, mu = next(steps)
    draws = np.random.default_rng(3).integers(patterns.examples, size=4096)[:500]
    examples = np.searchsorted(np.cumsum(patterns.count), draws, side="right")
    expected_v, expected_mu = literal_algorithm_1(problem, examples, learning_rate=1.0, project=project)
    np.testing.assert_allclose(v, expected_v, atol=1e-10)
    assert mu == pytest.approx(expected_mu, abs=1e-10)


@pytest.mark.parametrize("batch_size", [1, 32])
def test_the_projected_version_nears_the_optimum(batch_size, cells):
    problem = Problem(cells(ADULT), M4Settings(np.array([0.6]), 0.7, eps_association=0.01, penalty=5.0))
    exact = solve(problem)
    gaps = []
    for updates in (200, 20000):
        found = stochastic.solve(
            problem,
            rng=np.random.default_rng(0),
            updates=updates // (4 if batch_size > 1 else 1),
            batch_size=batch_size,
            learning_rate=0.5,
        )
        assert (found.v >= 0).all()
        assert (found.v <= 5).all()
        gaps.append(found.certificate.gap)
    assert gaps[1] < gaps[0]
    np.testing.assert_allclose(found.weights, exact.weights, atol=0.04)


def test_the_printed_version_solves_with_equalities_whatever_eps_is(cells):
    patterns, target = cells(ADULT), np.array([0.6])
    tolerant = Problem(patterns, M4Settings(target, 0.6, eps_association=0.05, eps_representation=0.05))
    strict = solve(Problem(patterns, M4Settings(target, 0.6)))
    found = stochastic.solve(
        tolerant, rng=np.random.default_rng(0), updates=5000, batch_size=64, learning_rate=0.5, project=False
    )
    assert found.v.sum() < 0  # v+ + v- has drifted below what any multiplier may be
    np.testing.assert_allclose(found.weights, strict.weights, atol=0.03)
    assert np.abs(found.weights - solve(tolerant).weights).max() > 0.1


def test_the_literal_reading_is_refused(cells):
    problem = Problem(cells(ADULT), M4Settings([0.5], 0.5, eps_association=0.1, eps_reading="literal"))
    with pytest.raises(UserError, match="normalises eps"):
        stochastic.solve(problem, rng=np.random.default_rng(0), updates=1)
