import math

import pytest

from clipfair.core.errors import UserError
from clipfair.train.schedules import make_schedule

PAPER = {"schedule": "rsqrt", "warmup": 5000, "timescale": 5000}


def test_the_papers_schedule():
    total = 61_035  # a billion examples in batches of 16,384
    schedule = make_schedule(PAPER, total)
    assert schedule(0) == 0
    assert schedule(2500) == 0.5
    assert schedule(5000) == 1
    assert schedule(10_000) == pytest.approx(1 / math.sqrt(2))
    assert schedule(20_000) == 0.5
    assert schedule(total) == pytest.approx(0.286, abs=5e-4)


def test_without_a_cooldown_a_prefix_equals_a_shorter_run():
    long, short = make_schedule(PAPER, 100_000), make_schedule(PAPER, 20_000)
    assert [long(step) for step in range(0, 20_000, 777)] == [short(step) for step in range(0, 20_000, 777)]


def test_cooldown_ends_at_zero():
    schedule = make_schedule(PAPER | {"cooldown": 1000}, 20_000)
    assert schedule(19_000) == pytest.approx(1 / math.sqrt(1 + 14_000 / 5000))
    assert schedule(19_500) == pytest.approx(0.5 / math.sqrt(1 + 14_500 / 5000))
    assert schedule(20_000) == 0


def test_a_cosine_may_end_above_zero():
    schedule = make_schedule({"schedule": "cosine", "floor": 0.1}, 100)
    assert [schedule(step) for step in (0, 50, 100)] == pytest.approx([1, 0.55, 0.1])


def test_cosine():
    schedule = make_schedule({"schedule": "cosine", "warmup": 10}, 110)
    assert [schedule(step) for step in (0, 5, 10, 60, 110)] == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_constant_and_no_warmup():
    assert make_schedule({"schedule": "constant"}, 10)(0) == 1
    assert make_schedule({"schedule": "cosine"}, 10)(0) == 1


def test_an_unknown_name_is_reported():
    with pytest.raises(UserError, match=r"unknown schedule 'cosin' \(did you mean 'cosine'\?\)"):
        make_schedule({"schedule": "cosin"}, 10)


def test_a_warm_up_may_start_above_zero():
    schedule = make_schedule({"schedule": "constant", "warmup": 10, "start": 0.2}, 100)
    assert [schedule(step) for step in (0, 5, 10, 50)] == pytest.approx([0.2, 0.6, 1, 1])


def test_the_released_warm_up_of_blip2():
    """LAVIS on FairVLMed, section 5: 218 steps per epoch, 50 epochs, 1e-4 to 1e-5, 5,000 steps from 1e-6."""
    recipe = {"schedule": "cosine-by-epoch", "warmup": 5000, "start": 0.01, "floor": 0.1, "epochs": 50}
    schedule = make_schedule(recipe, 50 * 218)
    assert 1e-4 * schedule(0) == pytest.approx(1e-6)
    assert 1e-4 * schedule(217) == pytest.approx(1e-6 + 9.9e-5 * 217 / 5000)
    assert 1e-4 * schedule(217) == pytest.approx(5.3e-6, abs=5e-8)

    def of_epoch(epoch):
        return 1e-5 + 9e-5 * (1 + math.cos(math.pi * epoch / 50)) / 2

    for epoch in (1, 25, 49):
        for step in (0, 217):
            assert 1e-4 * schedule(218 * epoch + step) == pytest.approx(of_epoch(epoch))
    assert 1e-4 * schedule(218) > 0.99e-4
