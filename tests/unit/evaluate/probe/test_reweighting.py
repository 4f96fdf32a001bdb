"""Deep feature reweighting: balanced subsets, mean of regressions, a spurious feature that is dropped."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from clipfair.evaluate.probe.reweighting import (
    INVERSE_PENALTIES,
    CellFeatures,
    draw_balanced,
    fit_head,
    fit_subsets,
    split_in_halves,
    worst_cell_accuracy,
)


def examples(n, rng, agreement=0.95):
    """A weak feature of the label, and a strong one of the group, which mostly agrees with the label."""
    labels = rng.integers(2, size=n)
    groups = np.where(rng.random(n) < agreement, labels, 1 - labels)
    noise = rng.normal(size=(n, 3))
    features = noise + np.column_stack([1.5 * labels, 4 * groups, np.zeros(n)])
    return CellFeatures(features, labels, 2 * groups + labels)


def test_halves_have_half_of_every_cell():
    cells = np.repeat([0, 1, 2, 3], [10, 7, 2, 101])
    first, second = split_in_halves(cells, np.random.default_rng(0))
    assert sorted([*first, *second]) == list(range(120))
    assert np.bincount(cells[first]).tolist() == [5, 4, 1, 51]
    assert not np.array_equal(first, split_in_halves(cells, np.random.default_rng(1))[0])


def test_a_subset_has_every_cell_as_often_as_the_smallest():
    cells = np.repeat([0, 1, 2], [30, 4, 9])
    rows = draw_balanced(cells, np.random.default_rng(0))
    assert np.bincount(cells[rows]).tolist() == [4, 4, 4]
    assert len(set(rows)) == 12


def test_the_head_is_the_mean_of_regressions_on_standardised_features():
    part = examples(400, np.random.default_rng(0))
    subsets = [np.arange(200), np.arange(150, 400)]
    scaler = StandardScaler().fit(part.features)
    regressions = [
        LogisticRegression(C=0.3, l1_ratio=1, solver="liblinear", random_state=0).fit(
            scaler.transform(part.features[rows]), part.labels[rows]
        )
        for rows in subsets
    ]
    expected = np.mean(
        [one.decision_function(scaler.transform(part.features)) for one in regressions], axis=0
    )
    head = fit_subsets(part, subsets, inverse_penalty=0.3)
    np.testing.assert_allclose(head.logits(part.features), expected, rtol=1e-6, atol=1e-9)


def test_a_feature_of_the_group_is_dropped_and_the_gap_between_cells_closes():
    rng = np.random.default_rng(0)
    fitted, held_out, test = (examples(n, rng) for n in (2000, 2000, 20000))
    plain = fit_subsets(fitted, [np.arange(2000)], inverse_penalty=1.0)
    head = fit_head(fitted, held_out, rng=rng)
    assert head.inverse_penalty in INVERSE_PENALTIES
    assert worst_cell_accuracy(plain, test) < 0.4
    assert worst_cell_accuracy(head, test) > 0.7
    assert abs(head.weights[1] / head.weights[0]) < 0.15
    assert plain.weights[1] / plain.weights[0] > 0.5


def test_the_penalty_with_the_best_worst_cell_is_chosen():
    rng = np.random.default_rng(0)
    fitted, held_out = examples(400, rng), examples(400, rng)
    head = fit_head(fitted, held_out, rng=np.random.default_rng(1))
    rows = draw_balanced(fitted.cells, np.random.default_rng(1))
    found = [
        worst_cell_accuracy(fit_subsets(fitted, [rows], inverse_penalty=penalty), held_out)
        for penalty in INVERSE_PENALTIES
    ]
    assert head.inverse_penalty == INVERSE_PENALTIES[int(np.argmax(found))]


def test_a_constant_feature_counts_as_no_feature():
    part = examples(200, np.random.default_rng(0))
    constant = CellFeatures(np.column_stack([part.features, np.full(200, 7.0)]), part.labels, part.cells)
    rows = [np.arange(200)]
    head = fit_subsets(constant, rows, inverse_penalty=1.0)
    assert head.weights[3] == pytest.approx(0)
    np.testing.assert_allclose(
        head.weights[:3], fit_subsets(part, rows, inverse_penalty=1.0).weights, rtol=1e-3
    )
