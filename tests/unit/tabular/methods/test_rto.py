import clarabel
import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from clipfair.plan.mitigation_settings import RTOSettings
from clipfair.tabular.methods import rto


def solve_program(score, *, gamma, rho, eps):
    """min gamma/2 ||x||^2 - score'x, 0 <= x <= 1, |mean x - rho| <= eps / 2, by an interior point method."""
    n = len(score)
    mean = np.full((1, n), 1 / n)
    constraints = sparse.csc_matrix(np.vstack([np.eye(n), -np.eye(n), mean, -mean]))
    bounds = np.concatenate([np.ones(n), np.zeros(n), [rho + eps / 2], [eps / 2 - rho]])
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-12
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(gamma * np.eye(n)),
        -score,
        constraints,
        bounds,
        [clarabel.NonnegativeConeT(2 * n + 2)],
        options,
    )
    return np.array(solver.solve().x)


@pytest.mark.parametrize("gamma", [0.05, 1.0, 3.0])
@pytest.mark.parametrize(("rho", "eps"), [(0.3, 0.0), (0.7, 0.0), (0.3, 0.1), (0.5, 2.0)])
def test_against_an_independent_solver(gamma, rho, eps):
    score = np.random.default_rng(0).uniform(-1, 1, 40) ** 3
    shift = rto.threshold(score, gamma=gamma, rho=rho, eps=eps)
    expected = solve_program(score, gamma=gamma, rho=rho, eps=eps)
    np.testing.assert_allclose(rto.decide(score, shift, gamma=gamma), expected, atol=1e-6)


@pytest.mark.parametrize("rho", [0.0, 0.2, 1.0])
def test_the_mean_decision_is_rho(rho):
    score = np.random.default_rng(1).uniform(-1, 1, 1000)
    decisions = rto.decide(score, rto.threshold(score, gamma=0.05, rho=rho, eps=0.0), gamma=0.05)
    assert decisions.mean() == pytest.approx(rho, abs=1e-12)


def test_no_shift_where_the_constraint_does_not_bind():
    score = np.array([-0.5, 0.2, 0.6])
    free = rto.decide(score, 0.0, gamma=1.0).mean()
    assert rto.threshold(score, gamma=1.0, rho=free + 0.04, eps=0.1) == 0.0


def test_groups_are_selected_equally(training_data, classifier):
    outcome = rto.fit_predict(training_data, RTOSettings(gamma=0.05), classifier=classifier, seed=0)
    fitted = LogisticRegression().fit(training_data.X_train, training_data.y_train)
    assert outcome.details["rho"] == pytest.approx(fitted.predict_proba(training_data.X_train)[:, 1].mean())
    for group in training_data.groups:
        selected = outcome.predictions[training_data.s_test == group]
        # Only the draws of the scores within the random zone vary.
        assert abs(selected.mean() - outcome.details["rho"]) < 4 * 0.5 / np.sqrt(len(selected))


def test_rho_can_be_set(training_data, classifier):
    outcome = rto.fit_predict(training_data, RTOSettings(gamma=0.01, rho=0.5), classifier=classifier, seed=0)
    assert outcome.predictions.mean() == pytest.approx(0.5, abs=0.02)
