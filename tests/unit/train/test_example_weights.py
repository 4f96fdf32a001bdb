"""Weights of examples: closed forms, independence in the weighted data, a planted gap that they close."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from clipfair.core.errors import UserError
from clipfair.train.example_weights import find_weights

NAMES = ["m4", "reweighing"]
# Examples of label 0 and of label 1 of each group.
TWO = [[40, 10], [20, 30]]
THREE = [[50, 14], [3, 40], [21, 72]]


def cells(counts):
    """The group and the label of each example."""
    groups, labels = np.indices(np.shape(counts))
    repeats = np.ravel(counts)
    return np.repeat(groups.ravel(), repeats), np.repeat(labels.ravel(), repeats)


def table(values, groups, labels):
    """The value of each cell, (G, 2), which all of its examples have."""
    found = np.array(
        [[values[(groups == g) & (labels == y)] for y in (0, 1)] for g in range(max(groups) + 1)], object
    )
    assert all(np.ptp(part) < 1e-12 for part in found.ravel())
    return np.array([[part[0] for part in row] for row in found])


def test_reweighing_of_two_groups_by_hand():
    groups, labels = cells(TWO)
    found = table(find_weights("reweighing")(groups, labels), groups, labels)
    np.testing.assert_allclose(
        found, [[0.5 * 0.6 / 0.4, 0.5 * 0.4 / 0.1], [0.5 * 0.6 / 0.2, 0.5 * 0.4 / 0.3]]
    )


@pytest.mark.parametrize("counts", [TWO, THREE])
def test_m4_has_the_weights_of_its_closed_form(counts):
    """q = r_y / (G P(a, y)) for the r with sum 1 that minimises E[q^2] = sum over y of r_y^2 S_y."""
    groups, labels = cells(counts)
    shares = np.array(counts) / np.sum(counts)
    cost = (1 / shares).sum(axis=0)
    r = (1 / cost) / (1 / cost).sum()
    found = table(find_weights("m4")(groups, labels), groups, labels)
    np.testing.assert_allclose(found, r / (len(counts) * shares), rtol=1e-8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("counts", [TWO, THREE, [[1, 999], [500, 3000]]])
def test_group_and_label_are_independent_in_the_weighted_data(name, counts):
    groups, labels = cells(counts)
    found = find_weights(name)(groups, labels)
    assert found.mean() == pytest.approx(1)
    assert (found > 0).all()
    joint = table(found, groups, labels) * counts / np.sum(counts)
    of_groups, of_labels = joint.sum(axis=1), joint.sum(axis=0)
    np.testing.assert_allclose(joint, np.outer(of_groups, of_labels), atol=1e-8)
    if name == "m4":
        np.testing.assert_allclose(of_groups, 1 / len(counts))
    else:
        np.testing.assert_allclose(of_labels, np.sum(counts, axis=0) / np.sum(counts))
        np.testing.assert_allclose(of_groups, np.sum(counts, axis=1) / np.sum(counts))


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_gap_between_groups_is_closed(name):
    """A model that knows the group alone predicts the rate of its group, and one rate with the weights."""
    groups, labels = cells(THREE)
    indicators = np.eye(3)[groups]
    rates = {}
    for weights in (None, find_weights(name)(groups, labels)):
        model = LogisticRegression(C=np.inf).fit(indicators, labels, sample_weight=weights)
        rates[weights is None] = model.predict_proba(np.eye(3))[:, 1]
    np.testing.assert_allclose(rates[True], [14 / 64, 40 / 43, 72 / 93], atol=1e-3)
    assert np.ptp(rates[False]) < 1e-3


def test_an_unknown_name_is_reported():
    with pytest.raises(UserError, match=r"methods.yaml: example_weights: unknown weights 'm5'"):
        find_weights("m5")
