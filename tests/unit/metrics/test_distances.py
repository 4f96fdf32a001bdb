"""Properties that all distances share, scale-free distances, distances of one's own, errors."""

import pytest
import torch

from clipfair.core.errors import UserError
from clipfair.metrics.distances import check_distance, group_distances
from clipfair.metrics.evaluated_distances import EXACT, SCALE_FREE
from tests.unit.metrics.samples import scores

DISTANCES = {
    "sinkhorn": {"kind": "sinkhorn", "p": 2, "blur": 1e-4, "scaling": 0.5, "diameter": None},
    "wasserstein-1": {"kind": "wasserstein", "p": 1},
    "wasserstein-2": EXACT,
    "scale-free": SCALE_FREE,
    "gaussian": {"kind": "gaussian", "bandwidth": 0.7},
    "laplacian": {"kind": "laplacian", "bandwidth": 0.7},
    "energy": {"kind": "energy"},
}


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


@pytest.mark.parametrize("folder", ["clipfair.metrics.distances", "metrics.distances"])
def test_a_distance_inside_clipfair_can_be_named_by_its_module(folder):
    population, *groups = scores(6, 3)
    entry = {"kind": f"{folder}.wasserstein:distance", "p": 2}
    torch.testing.assert_close(
        group_distances(entry, population, groups), group_distances(EXACT, population, groups)
    )


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
        ({"kind": "own_package.gaps:other"}, "gaps.py defines no function 'other'"),
        ({"kind": "own_package.gaps:constant"}, "gaps.py defines no function 'constant'"),
        ({"kind": "no_package.gaps:gap"}, "no module 'no_package.gaps'"),
    ],
)
def test_an_entry_that_is_no_distance_is_refused_in_one_line(entry, message, own_module):
    with pytest.raises(UserError) as error:
        check_distance(entry, where="methods.mine.distance")
    assert str(error.value).startswith("methods.mine.distance: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
