# ruff: noqa: N803 - X is scikit-learn's name

import clarabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from clipfair.plan.mitigation_settings import BaselineSettings, R2BSettings
from clipfair.tabular.methods import baseline, r2b


def project(y, groups):
    """Project one-hot labels on {group means = overall means, rows sum to 1, >= 0}: class 1's part."""
    n = len(y)
    one_hot = np.concatenate([y, 1 - y]).astype(float)
    sums = np.hstack([np.eye(n), np.eye(n)])
    means = [
        np.tile(groups == name, 2) * np.repeat([cls, 1 - cls], n) for name in set(groups) for cls in (0, 1)
    ]
    targets = [one_hot[:n].mean() if cls else one_hot[n:].mean() for _ in set(groups) for cls in (0, 1)]
    sizes = [(groups == name).sum() for name in set(groups) for _ in (0, 1)]
    constraints = sparse.csc_matrix(np.vstack([sums, *means, -np.eye(2 * n)]))
    bounds = np.concatenate([np.ones(n), np.multiply(targets, sizes), np.zeros(2 * n)])
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-12
    cones = [clarabel.ZeroConeT(n + len(means)), clarabel.NonnegativeConeT(2 * n)]
    solver = clarabel.DefaultSolver(
        sparse.eye_array(2 * n, format="csc"), -one_hot, constraints, bounds, cones, options
    )
    return np.array(solver.solve().x)[:n]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_against_the_projection_by_an_independent_solver(seed):
    rng = np.random.default_rng(seed)
    groups = rng.choice(np.array(["a", "b", "c"], dtype=object), 40)
    y = (rng.random(40) < np.where(groups == "a", 0.7, 0.3)).astype(int)
    np.testing.assert_allclose(r2b.soft_labels(y, groups), project(y, groups), atol=1e-6)


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from("ab")), min_size=1, max_size=50))
def test_group_means_are_equal(rows):
    y, groups = (np.array(column) for column in zip(*rows, strict=True))
    soft = r2b.soft_labels(y, groups)
    assert ((soft >= 0) & (soft <= 1)).all()
    for name in set(groups):
        assert soft[groups == name].mean() == pytest.approx(y.mean())


def test_fair_labels_stay():
    y, groups = np.array([0, 1, 0, 1]), np.array(["a", "a", "b", "b"])
    np.testing.assert_array_equal(r2b.soft_labels(y, groups), y)


def test_trains_on_the_soft_labels(data, classifier):
    """The fitted probabilities average to the soft labels' mean in each group, as the log-loss has it."""
    recorded = {}

    class Recorder(type(classifier)):
        def fit(self, X, y, sample_weight):
            super().fit(X, y, sample_weight)
            recorded["mean"] = {
                group: self.predict_proba(data.X_train[data.s_train == group])[:, 1].mean()
                for group in data.groups
            }
            recorded["weight"] = sample_weight.sum()
            return self

    outcome = r2b.fit_predict(data, R2BSettings(), classifier=Recorder(C=1e6), seed=0)
    assert recorded["weight"] == pytest.approx(len(data.y_train))
    assert recorded["mean"] == pytest.approx(dict.fromkeys(data.groups, data.y_train.mean()), abs=1e-3)
    assert outcome.details["soft_rows"] > 0


def test_reduces_the_difference(data, classifier):
    fair, plain = (
        method.fit_predict(data, settings, classifier=classifier, seed=0).predictions
        for method, settings in ((r2b, R2BSettings()), (baseline, BaselineSettings()))
    )
    male = data.s_test == "male"
    assert abs(fair[male].mean() - fair[~male].mean()) < 0.5 * abs(plain[male].mean() - plain[~male].mean())
