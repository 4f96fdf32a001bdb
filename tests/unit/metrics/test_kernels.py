"""Kernel distances against sums over pairs, scipy and geomloss."""

import geomloss
import numpy as np
import pytest
import torch
from scipy import stats

from clipfair.metrics.distances import group_distances
from tests.unit.metrics.samples import scores


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
        group_distances({"kind": "gaussian", "bandwidth": 0.7}, population, groups), torch.stack(expected)
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
