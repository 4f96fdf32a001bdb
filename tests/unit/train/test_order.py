import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipfair.core.errors import UserError
from clipfair.train.order import ExampleOrder, ShuffledPasses, Stage, check_size, share_steps

SHARDS = np.repeat(np.arange(4), [5, 3, 7, 6])


def test_each_pass_has_every_example_once():
    passes = ShuffledPasses(SHARDS, 2, (0, 0))
    n = len(SHARDS)
    first, second = passes.take(0, n), passes.take(n, n)
    assert sorted(first) == sorted(second) == list(range(n))
    assert list(first) != list(second)


def test_few_shards_are_open_at_once():
    order = SHARDS[ShuffledPasses(SHARDS, 2, (3, 0)).take(0, len(SHARDS))]
    groups = [
        set(order[:split]) for split in range(1, len(order)) if not set(order[:split]) & set(order[split:])
    ]
    assert len(groups[0]) == 2
    assert (np.diff(order) != 0).sum() > 4  # within them, examples are mixed


@given(start=st.integers(0, 100), count=st.integers(0, 60), seed=st.integers(0, 5))
def test_any_part_of_the_order_can_be_computed(start, count, seed):
    whole = ShuffledPasses(SHARDS, 2, (seed, 1)).take(0, 200)
    assert np.array_equal(
        ShuffledPasses(SHARDS, 2, (seed, 1)).take(start, count), whole[start : start + count]
    )


def test_seeds_and_stages_differ():
    takes = [tuple(ShuffledPasses(SHARDS, 4, seed).take(0, 21)) for seed in ((0, 0), (0, 1), (1, 0))]
    assert len(set(takes)) == 3


def order_of(steps):
    stages = [
        Stage(name, np.arange(n), ShuffledPasses(np.zeros(n, dtype=int), 1, (0, number)), count)
        for number, (name, n, count) in enumerate(zip("ab", (10, 6), steps, strict=True))
    ]
    return ExampleOrder(stages, 4)


def test_stages_follow_one_another():
    order = order_of((3, 5))
    assert [order.at(step)[0].name for step in range(8)] == list("aaabbbbb")
    # The second stage starts at its own first example.
    assert np.array_equal(order.at(3)[1], order.stages[1].passes.take(0, 4))


def test_the_last_stage_has_no_end():
    assert order_of((3, 5)).at(100)[0].name == "b"


@pytest.mark.parametrize(
    ("shares", "total", "steps"),
    [((1,), 600, [600]), ((0.1, 0.9), 600, [60, 540]), ((0.9, 0.1), 61_035, [54_932, 6_103])],
)
def test_shares_of_the_steps(shares, total, steps):
    assert share_steps(shares, total) == steps


def test_a_batch_larger_than_the_data():
    check_size("condition 'x'", 8, 8)
    with pytest.raises(
        UserError, match="condition 'x' has 7 examples, fewer than a batch of 8: choose a smaller"
    ):
        check_size("condition 'x'", 7, 8)
