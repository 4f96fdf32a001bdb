import numpy as np
import pytest
import torch
from geomloss import SamplesLoss
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance

from clipfair.fairness.score_distances import (
    ReleasedSinkhorn,
    distances_to,
    half_squared_wasserstein,
    scale_free,
)

NUMBERS = st.lists(st.floats(-20, 20), min_size=1, max_size=6)


def transport(x, y):
    """The linear program that defines it."""
    n, m = len(x), len(y)
    rows = [np.kron(np.eye(n)[i], np.ones(m)) for i in range(n)]
    rows += [np.kron(np.ones(n), np.eye(m)[j]) for j in range(m)]
    cost = (np.subtract.outer(x, y) ** 2 / 2).ravel()
    return linprog(cost, A_eq=rows, b_eq=[1 / n] * n + [1 / m] * m).fun


def geomloss(x, y, **settings):
    loss = SamplesLoss("sinkhorn", p=2, backend="tensorized", **settings)
    return float(loss(torch.tensor(x)[:, None], torch.tensor(y)[:, None]))


@given(NUMBERS, NUMBERS)
def test_wasserstein_is_the_linear_program(x, y):
    assert half_squared_wasserstein(x, y) == pytest.approx(transport(x, y), abs=1e-6)


@given(NUMBERS, st.floats(-10, 10))
def test_a_shift_costs_half_its_square(x, shift):
    moved = np.array(x) + shift
    assert half_squared_wasserstein(x, moved) == pytest.approx(shift**2 / 2, abs=1e-9)


def test_wasserstein_of_one_against_many_is_half_a_second_moment():
    x = np.random.default_rng(0).normal(3, 2, 50)
    assert half_squared_wasserstein(x, [1.0]) == pytest.approx(np.mean((x - 1) ** 2) / 2)


@given(NUMBERS, NUMBERS)
def test_wasserstein_is_symmetric_and_bounds_the_first(x, y):
    value = half_squared_wasserstein(x, y)
    assert value == pytest.approx(half_squared_wasserstein(y, x))
    assert np.sqrt(2 * value) >= wasserstein_distance(x, y) - 1e-6


@given(st.floats(0.01, 1000), st.floats(-5, 5))
def test_scale_free_does_not_see_the_scale(factor, shift):
    rng = np.random.default_rng(0)
    everybody = rng.normal(size=40)
    group = everybody[:9]
    expected = scale_free(group, everybody)
    assert scale_free(factor * group + shift, factor * everybody + shift) == pytest.approx(expected)


def test_scale_free_of_equal_scores_is_undefined():
    assert np.isnan(scale_free(np.ones(3), np.ones(5)))


@pytest.mark.parametrize("n", [1, 2, 30])
def test_released_sinkhorn_is_geomloss_with_the_released_settings(n):
    rng = np.random.default_rng(n)
    everybody = rng.normal(25, 3, 60)
    group = everybody[:n] + 1
    expected = geomloss(group, everybody, blur=1e-4, diameter=2.0, scaling=0.95)
    assert ReleasedSinkhorn(everybody)(group) == pytest.approx(expected, rel=1e-9)


def test_released_sinkhorn_has_not_converged_where_scores_are_wider_than_its_diameter():
    rng = np.random.default_rng(0)
    everybody = rng.normal(28000, 3000, 80)
    group = everybody[:20] + 1000
    exact = half_squared_wasserstein(group, everybody)
    assert ReleasedSinkhorn(everybody)(group) < 0.7 * exact
    converged = ReleasedSinkhorn(everybody, blur=1.0, diameter=2e4)(group)
    assert converged == pytest.approx(exact, rel=0.01)


def test_released_sinkhorn_in_single_precision_agrees_with_double():
    rng = np.random.default_rng(0)
    everybody = rng.normal(25, 3, 100)
    single = ReleasedSinkhorn(everybody.astype(np.float32))(everybody[:30])
    assert single == pytest.approx(ReleasedSinkhorn(everybody)(everybody[:30]), rel=1e-3)


def test_distances_by_name():
    everybody = np.random.default_rng(0).normal(size=30).astype(np.float32)
    found = distances_to(everybody, ("sinkhorn", "wasserstein", "scale_free"))
    assert found["wasserstein"](everybody[:7]) == half_squared_wasserstein(everybody[:7], everybody)
    assert found["scale_free"](everybody[:7]) == scale_free(everybody[:7], everybody)
    assert found["sinkhorn"](everybody[:7]) == ReleasedSinkhorn(everybody)(everybody[:7])
    assert abs(found["sinkhorn"](everybody)) < 1e-6
