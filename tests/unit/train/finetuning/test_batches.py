"""Batches: passes over all examples, group batches, the same batches from any step on."""

from itertools import islice, pairwise

import numpy as np
import pytest
import torch

from clipfair.core.errors import UserError
from clipfair.train.finetuning.batches import (
    GROUP_KEYS,
    GROUP_PIXELS,
    GROUP_SIZES,
    GROUP_TEXTS,
    GroupedBatches,
    draw_equally,
)
from clipfair.train.finetuning.examples import read_splits
from tests.unit.train.finetuning_data import RECIPE, make_model, make_table, write_data


@pytest.fixture(scope="module")
def built():
    return make_model()


@pytest.fixture(scope="module")
def examples(tmp_path_factory, built):
    data = write_data(tmp_path_factory.mktemp("world"), make_table())
    return read_splits(RECIPE, data, built, seed=0, cache=data["cache"])["train"]


@pytest.fixture
def make(examples, built):
    """Returns a function: batches of 16, with the groups of race or without."""

    def batches(*, groups=True, seed=0, **how):
        of_groups = list(examples.members("race").values()) if groups else []
        return GroupedBatches(examples, built, of_groups, batch_size=16, group_batch_size=8, seed=seed, **how)

    return batches


def positions(batches, steps):
    return list(islice(batches.positions(), steps))


def test_a_pass_has_every_example_once_and_a_smaller_last_batch(make, examples):
    batches = make()
    assert batches.steps_per_epoch == 5
    chosen = [main for main, _ in positions(batches, 10)]
    assert [len(part) for part in chosen] == [16, 16, 16, 16, 6] * 2
    for part in (chosen[:5], chosen[5:]):
        assert sorted(np.concatenate(part)) == list(range(len(examples)))
    assert not np.array_equal(chosen[0], chosen[5])


def test_drop_last_leaves_out_the_smaller_batch_of_all_examples_only(make):
    batches = make(drop_last=True)
    assert batches.steps_per_epoch == 4
    found = positions(batches, 12)
    assert {len(main) for main, _ in found} == {16}
    assert {len(group) for _, groups in found for group in groups} != {8}


def test_drop_last_groups_leaves_out_the_smaller_batches_of_groups_alone(make, examples):
    found = positions(make(drop_last_groups=True), 12)
    assert {len(group) for _, groups in found for group in groups} == {8}
    assert [len(main) for main, _ in found[:5]] == [16, 16, 16, 16, 6]


def test_a_group_that_is_smaller_than_its_batch_cannot_be_dropped(examples, built):
    groups = list(examples.members("race").values())
    with pytest.raises(UserError, match="training examples, fewer than a batch of 60"):
        GroupedBatches(
            examples, built, groups, batch_size=16, group_batch_size=60, seed=0, drop_last_groups=True
        )


def test_steps_of_two_batches_end_with_the_pass(make):
    batches = make(accumulate=2)
    assert batches.steps_per_epoch == 3
    ends = [batch.ends_step for batch in islice(batches, 10)]
    assert ends == [False, True, False, True, True] * 2


def test_only_the_last_batch_of_a_step_is_used(make):
    every = [batch.keys for batch in islice(make(accumulate=2), 10)]
    used = [batch.keys for batch in islice(make(accumulate=2, only_last=True), 6)]
    assert used == [every[place] for place in (1, 3, 4, 6, 8, 9)]


def test_group_batches_are_of_their_group_without_end(make, examples):
    for place, members in enumerate(examples.members("race").values()):
        drawn = [groups[place] for _, groups in positions(make(), 40)]
        assert set(np.concatenate(drawn)) == set(members)
        first = drawn[: -(-len(members) // 8)]
        assert sorted(np.concatenate(first)) == sorted(members)


def test_separate_generators_give_the_same_main_batches_with_groups_and_without(make):
    with_groups = [main.tolist() for main, _ in positions(make(), 15)]
    assert with_groups == [main.tolist() for main, _ in positions(make(groups=False), 15)]
    assert with_groups != [main.tolist() for main, _ in positions(make(seed=1), 15)]


def test_a_shared_generator_lets_the_groups_change_the_batches(make):
    with_groups = [main.tolist() for main, _ in positions(make(shared=True), 15)]
    without = [main.tolist() for main, _ in positions(make(groups=False, shared=True), 15)]
    assert with_groups[:5] == without[:5]
    assert with_groups[5:] != without[5:]


def test_a_batch_has_the_images_texts_and_keys_of_its_examples(make, examples, built):
    main, groups = positions(make(), 1)[0]
    batch = next(iter(make()))
    rows = torch.from_numpy(main)
    assert batch.keys == examples.table["key"].iloc[main].tolist()
    assert torch.equal(batch.texts, examples.tokens[rows])
    assert torch.equal(batch.images, built.normalise(examples.pixels(rows)))
    joined = np.concatenate(groups)
    assert batch.extra[GROUP_SIZES] == [len(group) for group in groups]
    assert batch.extra[GROUP_KEYS] == examples.table["key"].iloc[joined].tolist()
    assert torch.equal(batch.extra[GROUP_PIXELS], examples.pixels(torch.from_numpy(joined)))
    assert torch.equal(batch.extra[GROUP_TEXTS], examples.tokens[torch.from_numpy(joined)])


def test_mismatched_pairs_change_the_texts_of_groups_alone(make, examples):
    right, wrong = next(iter(make())), next(iter(make(mismatched=True)))
    assert right.keys == wrong.keys
    assert torch.equal(right.texts, wrong.texts)
    assert torch.equal(right.extra[GROUP_PIXELS], wrong.extra[GROUP_PIXELS])
    assert not torch.equal(right.extra[GROUP_TEXTS], wrong.extra[GROUP_TEXTS])
    # Place i within the group has the text of row i of the split.
    members = list(examples.members("race").values())
    _, groups = positions(make(), 1)[0]
    places = [
        list(of).index(position) for of, batch in zip(members, groups, strict=True) for position in batch
    ]
    assert torch.equal(wrong.extra[GROUP_TEXTS], examples.tokens[torch.tensor(places)])


@pytest.mark.parametrize("shared", [False, True])
def test_a_restored_source_continues_at_its_step(make, shared):
    whole = [batch.keys + batch.extra[GROUP_KEYS] for batch in islice(make(shared=shared), 12)]
    first = make(shared=shared)
    list(islice(first, 7))
    second = make(shared=shared)
    second.load_state_dict(first.state_dict())
    assert [batch.keys + batch.extra[GROUP_KEYS] for batch in islice(second, 5)] == whole[7:]


CELLS_OF_ROWS = [np.arange(0, 40), np.arange(40, 50), np.arange(50, 53)]


def test_balanced_passes_have_every_cell_equally_often_in_as_many_steps(make, examples):
    batches = make(balanced=CELLS_OF_ROWS)
    assert batches.steps_per_epoch == 5
    chosen = [main for main, _ in positions(batches, 50)]
    passes = np.array([np.concatenate(chosen[start : start + 5]) for start in range(0, 50, 5)])
    assert passes.shape == (10, len(examples))
    counts = np.array([[np.isin(one, cell).sum() for cell in CELLS_OF_ROWS] for one in passes])
    assert set(counts.ravel()) == {23, 24}
    assert (counts.sum(axis=1) == 70).all()
    # Of 10 examples each is drawn 2 or 3 times, of 40 at most once; all in random order.
    for one in passes:
        drawn = np.bincount(one, minlength=70)
        assert set(drawn[CELLS_OF_ROWS[1]]) == {2, 3}
        assert set(drawn[CELLS_OF_ROWS[0]]) == {0, 1}
        assert not drawn[53:].any()
    assert len(set(map(tuple, passes))) == 10


def test_balanced_passes_follow_the_seed_and_continue_at_their_step(make):
    whole = [batch.keys for batch in islice(make(balanced=CELLS_OF_ROWS), 12)]
    assert whole != [batch.keys for batch in islice(make(balanced=CELLS_OF_ROWS, seed=1), 12)]
    first, second = make(balanced=CELLS_OF_ROWS), make(balanced=CELLS_OF_ROWS)
    assert [batch.keys for batch in islice(first, 7)] == whole[:7]
    second.load_state_dict(first.state_dict())
    assert [batch.keys for batch in islice(second, 5)] == whole[7:]


@pytest.mark.parametrize("groups", [False, True])
def test_a_batch_has_the_columns_of_its_examples(make, groups):
    values = torch.arange(70.0)
    batches = make(groups=groups, columns={"weights": values})
    (main, _), batch = positions(batches, 1)[0], next(iter(make(groups=groups, columns={"weights": values})))
    assert torch.equal(batch.extra["weights"], values[torch.from_numpy(main)])


def test_a_gap_between_base_rates_is_not_in_a_balanced_pass():
    """Groups of 64, 43 and 93 examples, of which 14, 40 and 72 have label 1."""
    ends = np.cumsum([0, 50, 14, 3, 40, 21, 72])
    cells = [np.arange(start, end) for start, end in pairwise(ends)]
    cell_of = np.repeat(np.arange(6), np.diff(ends))
    drawn = cell_of[draw_equally(cells, 200, np.random.default_rng(0))]
    rates = [(drawn[drawn // 2 == group] % 2).mean() for group in range(3)]
    assert np.ptp([14 / 64, 40 / 43, 72 / 93]) > 0.7
    np.testing.assert_allclose(rates, 0.5, atol=0.01)
