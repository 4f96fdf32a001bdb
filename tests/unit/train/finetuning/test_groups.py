"""Groups of the training examples: cells, their weights, the placebo."""

import numpy as np
import pytest

from clipfair.core.errors import UserError
from clipfair.train.finetuning.groups import Cells, find_cells, shuffle_groups

RACE = {"asian": np.array([0, 3, 5]), "black": np.array([1, 2])}
LABELS = np.array([0, 0, 1, 1, 1, 1])


def test_cells_are_of_group_and_label_and_leave_out_unknown_groups():
    cells = find_cells("race", RACE, LABELS)
    assert cells.count == 4
    assert cells.codes.tolist() == [0, 2, 3, 1, -1, 1]
    assert [rows.tolist() for rows in cells.rows] == [[0], [3, 5], [1], [2]]


def test_a_cell_without_an_example_is_reported():
    message = (
        "group 'black' has no training example of label 0, which example_weights, sampler and dro_step need"
    )
    with pytest.raises(UserError, match=message):
        find_cells("race", {**RACE, "black": np.array([2])}, LABELS)


def test_examples_of_unknown_group_have_weight_1():
    found = Cells(np.array([0, 2, 3, 1, -1, 1]), 4).weights("reweighing")
    # Of the five others, P(asian) = 3/5, P(label 1) = 3/5, P(asian, 1) = 2/5.
    np.testing.assert_allclose(found[[3, 5]], 0.6 * 0.6 / 0.4)
    assert found[4] == 1
    assert found.mean() == pytest.approx(1)


def test_a_placebo_permutes_the_groups_by_the_seed_and_keeps_their_sizes():
    race = {"asian": np.arange(30), "black": np.arange(30, 80)}
    members = {"race": race, "gender": {"female": np.arange(0, 80, 2)}}
    first, again, other = (shuffle_groups(members, seed) for seed in (0, 0, 1))
    for name, groups in first["race"].items():
        assert len(groups) == len(race[name])
        assert (np.diff(groups) > 0).all()
        np.testing.assert_array_equal(groups, again["race"][name])
    assert sorted(np.concatenate(list(first["race"].values()))) == list(range(80))
    np.testing.assert_array_equal(first["gender"]["female"], np.arange(0, 80, 2))
    assert not np.array_equal(first["race"]["asian"], other["race"]["asian"])
    # About 30 / 80 of the examples stay in their group by chance.
    assert np.isin(first["race"]["asian"], race["asian"]).mean() < 0.8
