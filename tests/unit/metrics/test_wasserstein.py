"""The exact distance against linear programs, scipy and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from clipfair.metrics.distances import group_distances
from clipfair.metrics.evaluated_distances import EXACT
from tests.unit.metrics.samples import scores


def brute_force(x, y, p):
    """W_p^p / p by the linear program over all couplings."""
    n, m = len(x), len(y)
    cost = np.abs(x[:, None] - y[None, :]) ** p / p
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    return optimize.linprog(
        cost.ravel(),
        A_eq=np.vstack([rows, columns])[:-1],
        b_eq=np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])[:-1],
    ).fun


@pytest.mark.parametrize("p", [1, 2])
def test_two_points_are_their_cost_apart(p):
    entry = {"kind": "wasserstein", "p": p}
    found = group_distances(entry, torch.tensor([1.0]), [torch.tensor([4.0]), torch.tensor([1.0, 1.0])])
    assert found.tolist() == [3**p / p, 0]


@pytest.mark.parametrize("p", [1, 2])
def test_wasserstein_is_the_best_coupling(p):
    population, *groups = scores(7, 7, 3, 5, 1)
    found = group_distances({"kind": "wasserstein", "p": p}, population, groups)
    expected = [brute_force(population.numpy(), group.numpy(), p) for group in groups]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_wasserstein_of_equal_sizes_is_the_best_assignment():
    population, group = scores(40, 40)
    cost = (population[:, None] - group[None, :]).square().numpy() / 2
    best = cost[optimize.linear_sum_assignment(cost)].mean()
    assert group_distances(EXACT, population, [group]).item() == pytest.approx(best, rel=1e-12)


def test_wasserstein_1_is_scipys():
    population, *groups = scores(1883, 152, 285, 1446)
    found = group_distances({"kind": "wasserstein", "p": 1}, population, groups)
    expected = [stats.wasserstein_distance(population, group) for group in groups]
    np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize("p", [1, 2])
def test_the_gradient_of_a_shifted_copy_is_that_of_the_shift(p):
    population, _ = scores(9, 9)
    shift = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    group_distances({"kind": "wasserstein", "p": p}, population, [population + shift]).sum().backward()
    assert shift.grad.item() == pytest.approx(0.5 ** (p - 1))


finite = st.lists(st.floats(-100, 100), min_size=1, max_size=12)


@settings(deadline=None, max_examples=50)
@given(x=finite, y=finite, shift=st.floats(-50, 50))
def test_wasserstein_is_a_metric_that_moves_with_the_scores(x, y, shift):
    x, y = (torch.tensor(values, dtype=torch.float64) for values in (x, y))
    there, back = group_distances(EXACT, x, [y]).item(), group_distances(EXACT, y, [x]).item()
    assert there == pytest.approx(back, rel=1e-9, abs=1e-9)
    assert there >= (x.mean() - y.mean()).item() ** 2 / 2 - 1e-9
    moved = group_distances(EXACT, x + shift, [y + shift]).item()
    assert moved == pytest.approx(there, rel=1e-6, abs=1e-6)
