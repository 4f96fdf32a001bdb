import dataclasses

import clarabel
import numpy as np
import pytest
from scipy import sparse

from clipfair.core.errors import UserError
from clipfair.m4 import M4Settings, Patterns, Problem, bias, collapse, max_rate, solve, weights


def reference_weights(problem):
    """The quadratic program of appendix A.2.1 over (q, b), by an interior-point solver."""
    patterns, settings = problem.patterns, problem.settings
    share, n = patterns.share, len(patterns.count)
    extended = np.hstack([patterns.labels.toarray(), np.ones((n, 1))])
    centred = patterns.sensitive - settings.target
    g = (centred[:, :, None] * extended[:, None, :]).reshape(n, -1)
    bound = problem.tolerance.ravel()
    p = g.shape[1]
    cost = sparse.diags_array(np.concatenate([share * patterns.utility, np.zeros(2 * p)]), format="csc")
    linear = np.concatenate([-share * patterns.utility * settings.rate, np.full(2 * p, settings.penalty)])
    weighted = (g * share[:, None]).T
    rows = [
        np.hstack([share[None, :], np.zeros((1, 2 * p))]),
        np.hstack([np.vstack([weighted, -weighted]), -np.eye(2 * p)]),
        np.hstack([np.zeros((2 * p, n)), -np.eye(2 * p)]),
        np.hstack([-np.eye(n), np.zeros((n, 2 * p))]),
    ]
    right = [[settings.rate], bound, bound, np.zeros(2 * p), np.zeros(n)]
    if np.isfinite(settings.max_weight):
        rows.append(np.hstack([np.eye(n), np.zeros((n, 2 * p))]))
        right.append(np.full(n, settings.max_weight))
    matrix, right = np.vstack(rows), np.concatenate(right)
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-13
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(len(right) - 1)]
    solver = clarabel.DefaultSolver(cost, linear, sparse.csc_matrix(matrix), right, cones, options)
    return np.array(solver.solve().x)[:n]


INSTANCES = {
    "feasible": {"rate": 0.4},
    "tight bounds": {"rate": 0.75},
    "infeasible": {"rate": 0.95},
    "infeasible targets": {"target": "contradictory", "rate": 0.6},
    "tight V": {"rate": 0.6, "penalty": 0.05},
    "reweighing": {"rate": 1.0, "max_weight": 3.0},
    "reweighing without limit": {"rate": 1.0, "max_weight": np.inf},
    "tolerances": {"rate": 0.7, "eps_association": 0.005, "eps_representation": 0.02},
    "tolerances, literal": {
        "rate": 0.7,
        "eps_association": 0.005,
        "eps_representation": 0.02,
        "eps_reading": "literal",
    },
    "tolerances, infeasible": {"rate": 0.95, "eps_association": 0.002},
}


@pytest.mark.parametrize("utilities", [False, True])
@pytest.mark.parametrize("name", INSTANCES)
def test_agrees_with_an_independent_solver(name, utilities, random_patterns):
    patterns = random_patterns(400, 3, 4, seed=5, utilities=utilities)
    instance = dict(INSTANCES[name])
    target = patterns.share @ patterns.sensitive
    target = (target + 0.5) / 2
    if instance.pop("target", None):
        target = np.full(3, 0.9)  # a group and its complement
    problem = Problem(patterns, M4Settings(target=target, **instance))
    solution = solve(problem)
    assert solution.certificate.relative_gap < 1e-10
    assert patterns.share @ solution.weights == pytest.approx(problem.settings.rate, rel=1e-12)
    np.testing.assert_allclose(solution.weights, reference_weights(problem), atol=1e-6)


def test_tolerances_bound_the_covariances_in_the_weighted_data(random_patterns):
    """|cov_q(s_k, y_r)| <= eps_D + eps_R E_q[y_r], more than eps_D alone."""
    patterns = random_patterns(400, 2, 3, seed=5)
    target = (patterns.share @ patterns.sensitive + 0.5) / 2
    settings = M4Settings(target=target, rate=0.6, eps_association=0.003, eps_representation=0.02)
    solution = solve(Problem(patterns, settings))
    assert not solution.certificate.unsatisfied.any()
    data = bias.moments(patterns.sensitive, patterns.labels, patterns.count * solution.weights)
    frequency = bias.frequency(data)
    covariance = data.joint / data.total - np.outer(bias.representation(data), frequency)
    assert (np.abs(covariance) <= 0.003 + 0.02 * frequency + 1e-9).all()
    assert np.abs(covariance).max() > 0.003 + 1e-9


@pytest.mark.parametrize("name", INSTANCES)
def test_weights_come_from_the_dual_variables_alone(name, random_patterns):
    patterns = random_patterns(300, 2, 4, seed=6, utilities=True)
    instance = {key: value for key, value in INSTANCES[name].items() if key != "target"}
    settings = M4Settings(target=np.array([0.4, 0.5]), **instance)
    solution = solve(Problem(patterns, settings))
    again = weights(
        patterns.sensitive, patterns.labels, patterns.utility, v=solution.v, mu=solution.mu, settings=settings
    )
    np.testing.assert_allclose(again, solution.weights, atol=1e-12)
    assert (solution.v >= 0).all()
    assert (solution.v <= settings.penalty).all()


def test_the_certificate_names_the_constraints(random_patterns):
    patterns = random_patterns(400, 2, 4, seed=7)
    target = patterns.share @ patterns.sensitive
    good = solve(Problem(patterns, M4Settings(target, 0.3))).certificate
    assert good.violation.max() < 1e-12
    assert not good.unsatisfied.any()
    never = 3  # the label that does not occur
    assert not good.binding[:, never].any()
    assert good.binding[:, [0, 1, 2, 4]].all()
    bad = solve(Problem(patterns, M4Settings(target, 1.0))).certificate
    assert bad.unsatisfied.any()
    np.testing.assert_array_equal(bad.violation[bad.unsatisfied] > 0, True)
    np.testing.assert_allclose(bad.primal, bad.dual + bad.gap, rtol=1e-9)


def test_patterns_and_raw_examples_give_the_same_weights(random_examples):
    sensitive, labels, utility = random_examples(300, 2, 3, seed=8, utilities=True)
    patterns, index = collapse(sensitive, labels, utility)
    raw = Patterns(sensitive, sparse.csr_array(labels.astype(float)), utility, np.ones(300, dtype=int))
    settings = M4Settings(np.array([0.4, 0.4]), 0.6)
    collapsed = solve(Problem(patterns, settings)).weights[index]
    np.testing.assert_allclose(collapsed, solve(Problem(raw, settings)).weights, atol=1e-8)


def test_rate_equal_to_max_weight_leaves_one_choice(random_patterns):
    solution = solve(Problem(random_patterns(200, 2, 3, seed=9), M4Settings(np.array([0.5, 0.5]), 1.0)))
    np.testing.assert_allclose(solution.weights, 1.0, atol=1e-12)
    assert solution.certificate.relative_gap < 1e-10


def test_balanced_data_are_left_alone(cells):
    patterns = cells([10, 20, 5, 10])
    solution = solve(Problem(patterns, M4Settings(np.array([30 / 45]), 0.9)))
    np.testing.assert_allclose(solution.weights, 0.9, atol=1e-12)
    assert solution.certificate.primal == pytest.approx(0, abs=1e-14)
    assert solution.certificate.relative_gap < 1e-8


def test_progress_is_reported(random_patterns):
    reported = []
    solution = solve(
        Problem(random_patterns(200, 2, 3, seed=1), M4Settings(np.array([0.5, 0.5]), 0.5)),
        on_iteration=lambda iteration, gap: reported.append((iteration, gap)),
    )
    assert [iteration for iteration, _ in reported] == list(range(len(reported)))
    assert reported[-1][1] == pytest.approx(solution.certificate.relative_gap)


# The eight examples of appendix A.1: s and y from the image, s and y from the text.
A1 = np.array(
    [
        [1, 1, 1, 0],
        [1, 0, 1, 0],
        [1, 1, 0, 1],
        [1, 0, 1, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
    ]
)


def test_worked_example_of_appendix_a1():
    s_image, y_image, s_text, y_text = A1.T
    assert np.corrcoef(s_image, y_image)[0, 1] == pytest.approx(1 / np.sqrt(3))  # .577
    assert np.corrcoef(s_text, y_text)[0, 1] == pytest.approx(-0.6, abs=0.01)
    assert np.corrcoef(s_image | s_text, y_image | y_text)[0, 1] == pytest.approx(0)

    sensitive, labels = A1[:, [0, 2]], A1[:, [1, 3]]
    patterns, index = collapse(sensitive, labels)
    # Each table of an s and a y has an empty cell, in the image (0, 1), in the text (1, 1). What has
    # the label on its other side must go, and examples 2, 4, 6, 8 remain: half of the data at most.
    half = np.array([0.5, 0.5])
    assert max_rate(patterns, half) == pytest.approx(0.5)
    solution = solve(Problem(patterns, M4Settings(half, 0.3)))
    np.testing.assert_allclose(solution.weights[index], np.tile([0.0, 0.6], 4), atol=1e-12)
    after = bias.moments(sensitive, labels, solution.weights[index])
    assert bias.representation_bias(after, half) == pytest.approx(0)
    assert bias.association_bias(after) == pytest.approx(0)


@pytest.mark.parametrize("eps", [0.0, 0.004])
def test_a_pair_that_is_not_constrained_is_as_if_it_were_not_there(eps, random_patterns):
    patterns = random_patterns(400, 2, 4, seed=9)
    target = patterns.share @ patterns.sensitive
    chosen = [0, 2]
    pairs = np.zeros((2, 4), dtype=bool)
    pairs[:, chosen] = True
    fewer = dataclasses.replace(patterns, labels=patterns.labels[:, chosen])
    settings = M4Settings(target, 0.7, eps_association=eps, pairs=pairs)
    expected = solve(Problem(fewer, M4Settings(target, 0.7, eps_association=eps)))
    solution = solve(Problem(patterns, settings))
    np.testing.assert_allclose(solution.weights, expected.weights, atol=1e-9)
    again = weights(
        patterns.sensitive, patterns.labels, patterns.utility, v=solution.v, mu=solution.mu, settings=settings
    )
    np.testing.assert_allclose(again, expected.weights, atol=1e-9)
    assert not solution.certificate.binding[:, [1, 3]].any()
    rates = {"eps_association": eps, "eps_representation": eps}
    assert max_rate(patterns, target, pairs=pairs, **rates) == pytest.approx(max_rate(fewer, target, **rates))


def test_a_group_can_be_balanced_and_be_a_label_of_another(random_patterns):
    patterns = random_patterns(400, 2, 3, seed=10)
    both = dataclasses.replace(patterns, labels=sparse.csr_array(patterns.sensitive.astype(float)))
    pairs = ~np.eye(2, dtype=bool)
    target = np.array([0.5, 0.4])
    rate = 0.9 * max_rate(both, target, pairs=pairs)
    solution = solve(Problem(both, M4Settings(target, rate, penalty=100.0, pairs=pairs)))
    assert solution.certificate.violation.max() < 1e-10
    weight = both.share * solution.weights
    sex, age = both.sensitive.T
    joint = np.array([weight @ (sex * age), weight @ sex, weight @ age]) / weight.sum()
    np.testing.assert_allclose(joint, [0.5 * 0.4, 0.5, 0.4], atol=1e-10)


def test_pairs_must_fit_the_labels(random_patterns):
    settings = M4Settings(np.array([0.5, 0.5]), 0.5, pairs=np.ones((2, 3), dtype=bool))
    with pytest.raises(UserError, match="pairs has 3 columns but there are 4 labels"):
        Problem(random_patterns(50, 2, 4, seed=0), settings)


def test_probabilities_are_balanced_in_expectation():
    rng = np.random.default_rng(0)
    soft_s, soft_y = rng.choice([0.0, 0.25, 0.5, 1.0], (40, 1)), rng.choice([0.0, 0.5, 1.0], (40, 1))
    patterns, index = collapse(soft_s, soft_y)
    settings = M4Settings(soft_s.mean(axis=0), 0.6)
    solution = solve(Problem(patterns, settings))
    q = solution.weights[index]
    s, y = soft_s[:, 0], soft_y[:, 0]
    assert solution.certificate.relative_gap < 1e-9
    assert q.mean() == pytest.approx(0.6)
    assert (q * (s - s.mean())).mean() == pytest.approx(0, abs=1e-9)
    assert (q * (s - s.mean()) * y).mean() == pytest.approx(0, abs=1e-9)


def test_without_labels_only_the_proportions_are_balanced():
    patterns, index = collapse([[1]] * 30 + [[0]] * 70, np.zeros((100, 0)))
    solution = solve(Problem(patterns, M4Settings([0.5], 0.6)))
    # Closed form: both groups get 0.3 of the mass, so q is 1 in the smaller one and 3/7 in the other.
    np.testing.assert_allclose(solution.weights[index], [1.0] * 30 + [3 / 7] * 70, atol=1e-9)
    assert max_rate(patterns, np.array([0.5])) == pytest.approx(0.6)
