import numpy as np
import pytest

from clipfair.metrics import bootstrap
from clipfair.metrics.bootstrap import draw_counts, interval, intervals, means, medians


def test_each_resample_draws_as_many_as_there_are():
    counts = np.concatenate(list(draw_counts(7, np.random.default_rng(0), replicates=50)))

    assert counts.shape == (50, 7)
    assert (counts.sum(axis=1) == 7).all()


def test_block_size_does_not_change_the_draw_counts(monkeypatch):
    whole = np.concatenate(list(draw_counts(7, np.random.default_rng(0), replicates=50)))
    monkeypatch.setattr(bootstrap, "_BLOCK", 20)
    assert (np.concatenate(list(draw_counts(7, np.random.default_rng(0), replicates=50))) == whole).all()


def test_means_and_medians_are_those_of_the_drawn_examples():
    values = np.random.default_rng(1).normal(size=(9, 2)) + 1000
    counts = np.concatenate(list(draw_counts(9, np.random.default_rng(0), replicates=40)))
    drawn = [np.repeat(values, row.astype(int), axis=0) for row in counts]

    assert means(values, np.random.default_rng(0), replicates=40) == pytest.approx(
        np.array([sample.mean(axis=0) for sample in drawn]), rel=1e-9
    )
    for n in (8, 9):  # an even and an odd number
        counts = np.concatenate(list(draw_counts(n, np.random.default_rng(0), replicates=40)))
        expected = [np.median(np.repeat(np.sort(values[:n, 0]), row.astype(int))) for row in counts]
        assert medians(values[:n, 0], np.random.default_rng(0), replicates=40) == pytest.approx(expected)


def test_interval_of_a_share_is_that_of_the_binomial():
    n, share = 400, 0.3
    values = (np.arange(n) < n * share).astype(float)[:, None]

    low, high = interval(means(values, np.random.default_rng(0), replicates=20_000)[:, 0])
    # 1.96 standard deviations of a binomial share.
    assert (low, high) == pytest.approx((share - 0.0449, share + 0.0449), abs=0.003)


def test_one_example_has_no_spread():
    assert intervals(means(np.array([[0.25, 4.0]]), np.random.default_rng(0))) == [(0.25, 0.25), (4.0, 4.0)]
    assert set(medians(np.array([0.5]), np.random.default_rng(0))) == {0.5}


def test_undefined_resamples_are_left_out_of_the_interval():
    assert interval(np.array([np.nan, 1.0, np.nan, 1.0])) == (1.0, 1.0)
    assert interval(np.array([np.nan])) is None
