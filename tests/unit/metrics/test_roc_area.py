"""ABROCA: closed forms, integration on a fine grid, scikit-learn's curves, many assignments at once."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from clipfair.metrics.roc_area import abroca


def sample(decimals, n=400):
    rng = np.random.default_rng(0)
    codes = rng.choice(3, n, p=[0.2, 0.3, 0.5])
    y = rng.integers(0, 2, n)
    return y, np.round(rng.normal(y + 0.5 * (codes == 1), 1), decimals), codes


def integrated(y, score, codes):
    """The largest area, by the curves of scikit-learn on a fine grid."""
    grid = (np.arange(100_000) + 0.5) / 100_000
    curves = []
    for code in np.unique(codes):
        rows = codes == code
        curves.append(np.interp(grid, *roc_curve(y[rows], score[rows], drop_intermediate=False)[:2]))
    return max(np.mean(np.abs(one - other)) for one, other in combinations(curves, 2))


def test_the_area_between_a_right_and_a_reversed_order_is_one():
    y, codes = np.tile([0, 0, 1, 1], 2), np.repeat([0, 1], 4)
    score = np.array([0.1, 0.2, 0.8, 0.9, 0.9, 0.8, 0.2, 0.1])
    assert abroca(y, score, codes) == pytest.approx([1])
    constant = np.where(codes == 0, score, 0.5)
    assert abroca(y, constant, codes) == pytest.approx([0.5])


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_it_is_the_area_between_the_curves_also_where_they_cross_and_with_ties(decimals):
    y, score, codes = sample(decimals)
    [found] = abroca(y, score, codes)
    assert found == pytest.approx(integrated(y, score, codes), abs=2e-5)
    aucs = [roc_auc_score(y[codes == code], score[codes == code]) for code in range(3)]
    assert found >= max(aucs) - min(aucs)


@pytest.mark.parametrize("decimals", [1, 9])
def test_many_assignments_of_groups_are_computed_as_one_after_the_other(decimals):
    y, score, codes = sample(decimals)
    rng = np.random.default_rng(1)
    assignments = np.tile(codes, (5, 1))
    for label in (0, 1):
        rows = np.flatnonzero(y == label)
        assignments[:, rows] = rng.permuted(assignments[:, rows], axis=1)
    alone = [abroca(y, score, assigned)[0] for assigned in assignments]
    assert abroca(y, score, assignments) == pytest.approx(alone)
    assert len(set(alone)) == 5


def test_it_does_not_depend_on_the_order_of_the_examples_or_the_scale_of_the_score():
    y, score, codes = sample(1)
    [found] = abroca(y, score, codes)
    order = np.random.default_rng(2).permutation(len(y))
    assert abroca(y[order], np.exp(score[order]), codes[order]) == pytest.approx([found])


def test_it_is_undefined_for_a_group_with_one_label():
    found = abroca(np.array([0, 1, 1, 1]), np.ones(4), np.array([0, 0, 1, 1]))
    assert np.isnan(found).tolist() == [True]
