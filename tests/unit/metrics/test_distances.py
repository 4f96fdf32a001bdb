"""Distances against closed forms, brute force, scipy and geomloss; gradients, properties, convergence."""

import geomloss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from clipfair.core.errors import UserError
from clipfair.metrics import sinkhorn
from clipfair.metrics.distances import (
    AS_RELEASED,
    EXACT,
    SCALE_FREE,
    check_distance,
    group_distances,
    named_distance,
)

SINKHORN = {"kind": "sinkhorn", "p": 2, "blur": 1e-4, "scaling": 0.95, "diameter": None}
DISTANCES = {
    "sinkhorn": {**SINKHORN, "scaling": 0.5},
    "wasserstein-1": {"kind": "wasserstein", "p": 1},
    "wasserstein-2": EXACT,
    "scale-free": SCALE_FREE,
    "gaussian": {"kind": "gaussian", "bandwidth": 0.7},
    "laplacian": {"kind": "laplacian", "bandwidth": 0.7},
    "energy": {"kind": "energy"},
}


def scores(*sizes, seed=0, scale=1.0):
    """Populations and groups of the given sizes, each with another mean; float64."""
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(scale * (rng.normal(size=n) + 0.3 * i)) for i, n in enumerate(sizes)]


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


# --- wasserstein ------------------------------------------------------------------------------


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


# --- kernels ----------------------------------------------------------------------------------


def test_energy_is_half_of_scipys_squared():
    population, *groups = scores(30, 12, 30)
    expected = [stats.energy_distance(population, group) ** 2 / 2 for group in groups]
    np.testing.assert_allclose(group_distances({"kind": "energy"}, population, groups), expected, rtol=1e-11)


@pytest.mark.parametrize(
    ("kind", "of"), [("gaussian", lambda d: np.exp(-(d**2) / 2)), ("laplacian", lambda d: np.exp(-d))]
)
def test_kernels_are_the_sums_over_pairs(kind, of):
    population, group = scores(6, 4)
    x, y, s = population.tolist(), group.tolist(), 0.7
    within = np.mean([of(abs(a - b) / s) for a in x for b in x]) + np.mean(
        [of(abs(a - b) / s) for a in y for b in y]
    )
    across = np.mean([of(abs(a - b) / s) for a in x for b in y])
    found = group_distances({"kind": kind, "bandwidth": s}, population, [group]).item()
    assert found == pytest.approx(within / 2 - across, rel=1e-12)


def test_the_gaussian_kernel_is_geomlosss():
    population, *groups = scores(20, 20, 11)
    loss = geomloss.SamplesLoss("gaussian", blur=0.7, backend="tensorized")
    expected = [loss(population[:, None], group[:, None]) for group in groups]
    torch.testing.assert_close(
        group_distances(DISTANCES["gaussian"], population, groups), torch.stack(expected)
    )


def test_the_median_bandwidth_is_that_of_all_pairs():
    population, group = scores(5, 4)
    joined = torch.cat([population, group]).numpy()
    pairs = np.abs(joined[:, None] - joined)[np.triu_indices(9, 1)]
    entry = {"kind": "gaussian", "bandwidth": "median"}
    by_hand = {"kind": "gaussian", "bandwidth": float(np.sort(pairs)[(len(pairs) - 1) // 2])}
    torch.testing.assert_close(
        group_distances(entry, population, [group]), group_distances(by_hand, population, [group])
    )


def test_a_tiny_bandwidth_measures_only_the_sizes():
    """The released MMD: about half of 1 / n + 1 / m for any scores, so there is no gradient to learn from."""
    population, group = (3 * values for values in scores(400, 30))
    found = group_distances({"kind": "laplacian", "bandwidth": 1e-4}, population, [group])
    assert found.item() == pytest.approx((1 / 400 + 1 / 30) / 2, rel=0.01)


# --- sinkhorn ---------------------------------------------------------------------------------

SCHEDULES = [
    {"p": 2, "blur": 1e-4, "scaling": 0.95, "diameter": None},
    {"p": 2, "blur": 1e-4, "scaling": 0.9, "diameter": 2},
    {"p": 2, "blur": 0.5, "scaling": 0.5, "diameter": None},
    {"p": 1, "blur": 0.5, "scaling": 0.5, "diameter": None},
]


@pytest.mark.parametrize("arguments", SCHEDULES)
def test_sinkhorn_is_geomlosss_value_and_gradient(arguments):
    values = [one.requires_grad_() for one in scores(20, 12, 20, 12, 7)]
    population, *groups = values
    ours = group_distances({"kind": "sinkhorn", **arguments}, population, groups)
    theirs = group_distances({"kind": "geomloss", **arguments}, population, groups)
    # For p = 1 geomloss takes 1e-4 as the distance of a point to itself.
    slack = {"rtol": 1e-3, "atol": 1e-3} if arguments["p"] == 1 else {"rtol": 1e-7, "atol": 1e-9}
    torch.testing.assert_close(ours, theirs, **slack)
    weights = torch.arange(1.0, 5.0, dtype=torch.float64)
    mine = torch.autograd.grad(ours @ weights, values)
    libraries = torch.autograd.grad(theirs @ weights, values)
    for here, there in zip(mine, libraries, strict=True):
        torch.testing.assert_close(here, there, **slack)


@pytest.mark.parametrize("arguments", SCHEDULES)
def test_stacked_problems_are_the_separate_ones(arguments, monkeypatch):
    values = [one.requires_grad_() for one in scores(12, 12, 5, 20)]
    population, *groups = values
    found = []
    for small in (0, 128):
        monkeypatch.setattr(sinkhorn, "SMALL", small)
        value = group_distances({"kind": "sinkhorn", **arguments}, population, groups)
        found.append([value, *torch.autograd.grad(value.sum(), values)])
    torch.testing.assert_close(found[0], found[1])


def test_the_gradient_is_right_where_that_of_geomloss_counts_ties():
    """The released loss: scores of about 28162 against some of about 1/32; half the mean square, nearly."""
    torch.manual_seed(0)
    population = (28162 + 3176 * torch.randn(32)).requires_grad_()
    group = torch.rand(32) / 16
    expected = population.detach() / 32
    entry = {**SINKHORN, "scaling": 0.5}
    (ours,) = torch.autograd.grad(group_distances(entry, population, [group]).sum(), population)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=0)
    (theirs,) = torch.autograd.grad(
        group_distances({**entry, "kind": "geomloss"}, population, [group]).sum(), population
    )
    times = theirs / expected
    torch.testing.assert_close(times, times.round(), rtol=0, atol=0.01)
    assert times.max() > 3


def test_geomloss_leaves_gradients_as_they_were():
    population, group = scores(5, 5)
    with torch.no_grad():
        group_distances({**SINKHORN, "kind": "geomloss", "scaling": 0.5}, population, [group])
        assert not torch.is_grad_enabled()


def test_sinkhorn_tends_to_the_exact_distance():
    population, *groups = scores(60, 20, 60)
    exact = group_distances(EXACT, population, groups)
    errors = [
        (group_distances({**SINKHORN, "scaling": scaling}, population, groups) / exact - 1).abs().max()
        for scaling in (0.5, 0.9, 0.99)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.005


def test_as_released_is_far_from_converged_on_scores_of_their_range():
    """Scores as those of the released method: mean 28162, deviation 3176, groups a deviation apart."""
    population, *groups = (28162 + 3176 * values for values in scores(120, 40, 60))
    groups = [group + 1500 for group in groups]
    exact = group_distances(EXACT, population, groups)
    assert (group_distances(AS_RELEASED, population, groups) < 0.2 * exact).all()
    converged = group_distances({**AS_RELEASED, "diameter": None}, population, groups)
    torch.testing.assert_close(converged, exact, rtol=0.03, atol=0)


def test_sinkhorn_of_equal_scores_is_zero():
    same = torch.full((4,), 3.0, dtype=torch.float64)
    assert group_distances(SINKHORN, same, [same[:2]]).item() == pytest.approx(0, abs=1e-12)


# --- all of them ------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", DISTANCES.values(), ids=DISTANCES)
def test_together_is_one_by_one(entry):
    population, *groups = scores(8, 3, 8, 5, 3)
    one_by_one = torch.cat([group_distances(entry, population, [group]) for group in groups])
    torch.testing.assert_close(group_distances(entry, population, groups), one_by_one)


@pytest.mark.parametrize("entry", DISTANCES.values(), ids=DISTANCES)
def test_the_distance_to_itself_is_zero_and_to_others_positive(entry):
    population, group = scores(10, 6)
    zero, positive = group_distances(entry, population, [population.flip(0), group + 1])
    assert zero.item() == pytest.approx(0, abs=1e-12)
    assert positive > 0


@pytest.mark.parametrize("name", [name for name in DISTANCES if name != "sinkhorn"])
def test_gradients_are_those_of_finite_differences(name):
    values = [one.requires_grad_() for one in scores(6, 3, 6)]
    assert torch.autograd.gradcheck(lambda x, *groups: group_distances(DISTANCES[name], x, groups), values)


@pytest.mark.parametrize("entry", DISTANCES.values(), ids=DISTANCES)
def test_an_empty_group_is_undefined_and_harms_no_other(entry):
    population, group = scores(6, 4)
    found = group_distances(entry, population, [group[:0], group])
    assert found[0].isnan()
    torch.testing.assert_close(found[1:], group_distances(entry, population, [group]))
    assert group_distances(entry, population, [group[:0]]).isnan().all()


@pytest.mark.parametrize("kind", ["wasserstein-1", "wasserstein-2", "energy", "gaussian"])
def test_scale_free_does_not_change_with_the_unit(kind):
    population, *groups = scores(12, 5, 12)
    entry = {**DISTANCES[kind], "scale_free": True}
    other_unit = [1000 * group for group in groups]
    torch.testing.assert_close(
        group_distances(entry, population, groups), group_distances(entry, 1000 * population, other_unit)
    )


def test_scale_free_is_divided_by_the_variance_of_all_scores():
    population, *groups = scores(12, 5, 12)
    expected = group_distances(EXACT, population, groups) / population.var(correction=0)
    torch.testing.assert_close(group_distances(SCALE_FREE, population, groups), expected)


def test_scale_free_of_equal_scores_is_undefined():
    same = torch.full((4,), 3.0)
    assert group_distances(SCALE_FREE, same, [same[:2]]).isnan().all()


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


# --- distances of one's own, errors ------------------------------------------------------------

OWN = """
import torch


def moment_gap(population, groups, *, power, factor=1.0):
    gaps = [factor * (population.pow(power).mean() - group.pow(power).mean()).abs() for group in groups]
    return torch.stack(gaps)


def one_number(population, groups):
    return population.mean()


constant = 3
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A package with a module of distances that Python can import."""
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package/gaps.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "own_package.gaps"


def test_a_distance_of_ones_own_is_measured_and_differentiated(own_module):
    population, *groups = (values.requires_grad_() for values in scores(6, 3, 4))
    entry = {"kind": f"{own_module}:moment_gap", "power": 2}
    found = group_distances(entry, population, [groups[0], groups[0][:0], groups[1]])
    expected = [(population.pow(2).mean() - group.pow(2).mean()).abs() for group in groups]
    torch.testing.assert_close(found[[0, 2]], torch.stack(expected))
    assert found[1].isnan()
    assert torch.autograd.gradcheck(
        lambda x, *others: group_distances(entry, x, others), [population, *groups]
    )
    doubled = group_distances({**entry, "factor": 2.0}, population, groups)
    torch.testing.assert_close(doubled, 2 * found[[0, 2]])
    scaled = group_distances({**entry, "scale_free": True}, population, groups)
    torch.testing.assert_close(scaled, found[[0, 2]] / population.var(correction=0))


@pytest.mark.parametrize("module", ["clipfair.metrics.wasserstein", "metrics.wasserstein"])
def test_a_distance_inside_clipfair_can_be_named_by_its_module(module):
    population, *groups = scores(6, 3)
    entry = {"kind": f"{module}:wasserstein", "p": 2}
    torch.testing.assert_close(
        group_distances(entry, population, groups), group_distances(EXACT, population, groups)
    )


def test_evaluated_distances_have_a_metric_and_settings(own_module):
    assert named_distance("wasserstein") == named_distance("distance_wasserstein")
    assert named_distance("wasserstein") == ("distance_wasserstein", EXACT)
    kind = f"{own_module}:one_number"
    assert named_distance(kind) == ("distance_one_number", {"kind": kind})
    with pytest.raises(UserError, match=r"unknown distance 'wasserstain' \(did you mean 'wasserstein'\?\)"):
        named_distance("wasserstain")
    with pytest.raises(UserError, match=r"gaps\.py defines no function 'other'"):
        named_distance(f"{own_module}:other")


def test_a_distance_that_returns_another_shape_is_refused(own_module):
    population, *groups = scores(6, 3, 4)
    with pytest.raises(UserError, match=r"shape \(\); expected one value for each of 2 groups"):
        group_distances({"kind": f"{own_module}:one_number"}, population, groups)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "manhattan"}, "unknown distance 'manhattan'"),
        ({"kind": "manhattan"}, "sinkhorn, wasserstein, or my_module:my_distance"),
        ({}, "unknown distance 'None'"),
        ({"kind": "wasserstein"}, "arguments none; expected: p"),
        ({"kind": "energy", "p": 2}, "arguments p; expected: none"),
        ({"kind": "own_package.gaps:moment_gap"}, "arguments none; expected: power, factor"),
        ({"kind": "own_package.gaps:moment_gap", "power": 1, "p": 2}, "expected: power, factor"),
        ({"kind": "own_package.gaps:constant"}, "gaps.py defines no function 'constant'"),
        ({"kind": "no_package.gaps:gap"}, "no module 'no_package.gaps'"),
    ],
)
def test_an_entry_that_is_no_distance_is_refused_in_one_line(entry, message, own_module):
    with pytest.raises(UserError) as error:
        check_distance(entry, where="config.methods.mine.distance")
    assert str(error.value).startswith("config.methods.mine.distance: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
