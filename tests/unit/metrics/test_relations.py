"""Correlations and slopes with units: scipy, brute force over units left out, and controls."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clipfair.metrics.relations import clustered_slope, rank_correlation, unit_correlations


def models(units=12, count=9, slope=0.0, worlds=("a", "b"), seed=0):
    """Models of units; the units differ much more in level than the models within one."""
    rng = np.random.default_rng(seed)
    rows = []
    for unit in range(units):
        for world in worlds:
            level_x, level_y = rng.normal(0, 5, 2)
            x = rng.normal(size=count)
            y = slope * x + rng.normal(size=count)
            rows += [(unit, world, level_x + one, level_y + other) for one, other in zip(x, y, strict=True)]
    return pd.DataFrame(rows, columns=["unit", "world", "x", "y"])


def test_the_rank_correlation_is_scipys_and_does_not_depend_on_scales():
    frame = models(units=1, worlds=("a",), slope=1)
    expected = stats.spearmanr(frame["x"], frame["y"]).statistic
    assert rank_correlation(frame, "x", "y") == pytest.approx(expected)
    assert rank_correlation(frame.assign(x=np.exp(frame["x"])), "x", "y") == pytest.approx(expected)
    assert rank_correlation(frame.assign(x=-frame["x"]), "x", "y") == pytest.approx(-expected)


def test_without_three_pairs_or_variation_there_is_no_rank_correlation():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, np.nan], "y": [1.0, np.nan, 2.0, 3.0], "z": 1.0})
    assert np.isnan(rank_correlation(frame, "x", "y"))
    assert np.isnan(rank_correlation(frame, "x", "z"))


def test_a_unit_has_the_mean_correlation_of_its_worlds():
    frame = models(units=3, slope=0.5)
    found = unit_correlations(frame, "x", "y", unit="unit", within=["world"])
    assert list(found.index) == [0, 1, 2]
    for unit, part in frame.groupby("unit"):
        of_worlds = [stats.spearmanr(one["x"], one["y"]).statistic for _, one in part.groupby("world")]
        assert found[unit] == pytest.approx(np.mean(of_worlds))


def test_differences_between_worlds_are_no_correlation_within_them():
    frame = models(units=200, seed=1)
    shifted = frame.assign(**{name: frame[name] + 50 * (frame["world"] == "b") for name in "xy"})
    assert unit_correlations(shifted, "x", "y", unit="unit").min() > 0.5
    within = unit_correlations(shifted, "x", "y", unit="unit", within=["world"])
    assert within.mean() == pytest.approx(0, abs=3 * within.std() / np.sqrt(200))


def test_a_unit_without_a_correlation_is_kept_as_undefined():
    frame = models(units=3)
    frame.loc[frame["unit"] == 1, "x"] = 0.5
    frame.loc[(frame["unit"] == 2) & (frame["world"] == "a"), "x"] = 0.5
    found = unit_correlations(frame, "x", "y", unit="unit", within=["world"])
    assert found.isna().tolist() == [False, True, False]
    part = frame[(frame["unit"] == 2) & (frame["world"] == "b")]
    assert found[2] == pytest.approx(rank_correlation(part, "x", "y"))


def test_the_slope_is_that_of_a_regression_with_an_intercept_for_each_cell():
    frame = models(slope=0.7)
    found = clustered_slope(frame, "x", "y", unit="unit", within=["world"])
    cells = pd.get_dummies(frame["unit"].astype(str) + frame["world"], dtype=float)
    coefficients, *_ = np.linalg.lstsq(cells.assign(x=frame["x"]).to_numpy(), frame["y"], rcond=None)
    assert found.slope == pytest.approx(coefficients[-1])
    assert (found.n, found.units) == (len(frame), 12)
    one = clustered_slope(frame.query("unit == 0 and world == 'a'"), "x", "y", unit="unit")
    line = stats.linregress(*frame.query("unit == 0 and world == 'a'")[["x", "y"]].to_numpy().T)
    assert (one.slope, one.r_squared) == pytest.approx((line.slope, line.rvalue**2))
    assert np.isnan(one.low)


def test_the_interval_is_the_jackknifes_over_units():
    frame = models(slope=0.7)
    found = clustered_slope(frame, "x", "y", unit="unit", within=["world"])
    left_out = [
        clustered_slope(frame[frame["unit"] != unit], "x", "y", unit="unit", within=["world"]).slope
        for unit in range(12)
    ]
    error = np.sqrt(11 / 12 * np.sum((np.array(left_out) - found.slope) ** 2))
    half = stats.t.ppf(0.975, 11) * error
    assert (found.low, found.high) == pytest.approx((found.slope - half, found.slope + half))


def test_copies_of_a_models_row_do_not_narrow_the_interval():
    frame = models(units=6)
    once = clustered_slope(frame, "x", "y", unit="unit")
    copied = clustered_slope(pd.concat([frame] * 10), "x", "y", unit="unit")
    assert copied[:4] == pytest.approx(once[:4])


def test_nineteen_of_twenty_intervals_contain_the_slope_also_if_units_have_slopes_of_their_own():
    """A slope that varies between units makes the errors of a unit dependent."""
    rng = np.random.default_rng(2)
    inside, narrow = 0, 0
    for _ in range(300):
        unit = np.repeat(np.arange(10), 8)
        x = rng.normal(size=80)
        y = rng.normal(1, 1, 10)[unit] * x + 0.1 * rng.normal(size=80)
        found = clustered_slope(pd.DataFrame({"unit": unit, "x": x, "y": y}), "x", "y", unit="unit")
        inside += found.low < 1 < found.high
        line = stats.linregress(x, y)
        narrow += abs(line.slope - 1) < stats.t.ppf(0.975, 78) * line.stderr
    assert inside / 300 > 0.92
    assert narrow / 300 < 0.92  # control: as if all models were independent


def test_a_slope_needs_variation_within_cells():
    frame = models(units=4)
    flat = clustered_slope(frame.assign(x=frame["unit"] * 1.0), "x", "y", unit="unit")
    assert np.isnan(flat.slope)
    frame.loc[0, "y"] = np.nan
    assert clustered_slope(frame, "x", "y", unit="unit").n == len(frame) - 1
