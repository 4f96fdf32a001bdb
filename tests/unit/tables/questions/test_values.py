"""Values of units: chosen λ, means over evaluations, spread, correlations, the variance of draws."""

import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.questions.contrasts import side_values
from clipfair.tables.questions.extras import describe_pairs, draw_share
from clipfair.tables.questions.values import choose_lams, select, unit_values
from tests.unit.tables.questions.synthetic_units import grid, make_records, noise, run_value

UNITS = list(range(6))
LAMS = ["0.1", "1", "3", "5", "7"]
PLAIN = run_value(method="plain")
LOSS = run_value(method="loss", lam="chosen")
SETTINGS = {
    "grids": {
        "plain": grid("world", ["plain"], seeds=UNITS),
        "loss": grid("world", ["loss"], attrs=["race"], lams=LAMS, seeds=UNITS),
    },
    "evaluations": {"world-metrics": {"kind": "threshold_free"}},
    "worlds": {"w": "world"},
    "attributes": ["race"],
    "plain": PLAIN,
    "rules": {"largest_cost": 2.0},
    "missing_units": [],
}


def values_of(value, settings=SETTINGS):
    return unit_values(make_records(settings, value), settings)


def random_value(run, kind, metric):
    return 0.5 + noise(run, metric, 0.02)


def side(values, runs, metric):
    return side_values(values, runs, metric, ["w"], SETTINGS, UNITS)


def test_the_chosen_lam_is_that_of_a_search_by_hand():
    values = values_of(random_value)
    chosen = choose_lams(values, LOSS, SETTINGS, UNITS)
    for unit in UNITS:
        found = {
            lam: (
                select(values, {"method": "loss", "lam": lam}, "validation_auc", "race", UNITS)[unit],
                select(values, {"method": "loss", "lam": lam}, "validation_matched_dpd", "race", UNITS)[unit],
            )
            for lam in LAMS
        }
        plain = select(values, {"method": "plain"}, "validation_auc", "race", UNITS)[unit]
        allowed = {lam: dpd for lam, (auc, dpd) in found.items() if auc >= plain - 2}
        expected = min(allowed, key=allowed.get) if allowed else max(found, key=lambda lam: found[lam][0])
        assert chosen[unit] == expected
    assert chosen.nunique() > 1


def test_no_lam_is_chosen_that_costs_more_auc_than_the_plan_allows():
    """λ 3 has the smallest gap on validation and costs 5 points."""

    def value(run, kind, metric):
        lam = float(run.lam)
        if metric == "validation_auc":
            return 0.9 - (0.05 if lam >= 3 else 0.01 if lam == 1 else 0)
        return 0.3 - 0.05 * lam if metric == "validation_matched_dpd" else 0.5

    assert set(choose_lams(values_of(value), LOSS, SETTINGS, UNITS)) == {"1"}


def test_a_contrast_takes_the_value_at_the_chosen_lam():
    def value(run, kind, metric):
        if metric == "validation_matched_dpd":
            return 0.1 if run.lam == LAMS[run.seed % 3] else 0.2
        return float(run.lam) / 10 if metric == "matched_dpd" else 0.5

    found = side(values_of(value), [LOSS], "matched-dpd")
    assert found.tolist() == pytest.approx([1, 10, 30, 1, 10, 30])


def test_a_unit_without_one_of_the_candidates_has_no_chosen_value():
    values = values_of(random_value)
    lost = (values["unit"] == 2) & (values["lam"] == "3")
    assert side(values[~lost], [LOSS], "matched-dpd").isna().tolist() == [unit == 2 for unit in UNITS]


def test_a_side_is_a_weighted_sum_and_no_runs_are_zero():
    values = values_of(random_value)
    plain, small = (side(values, [run], "auc") for run in (PLAIN, run_value(method="loss", lam="0.1")))
    both = [run_value(method="plain", weight=0.5), run_value(method="loss", lam="0.1", weight=-2.0)]
    assert side(values, both, "auc").tolist() == pytest.approx((0.5 * plain - 2 * small).tolist())
    assert side(values, [], "auc").tolist() == [0] * len(UNITS)


def test_spread_is_the_deviation_from_the_median_over_units():
    def value(run, kind, metric):
        return (0.1, 0.2, 0.3, 0.4, 0.5, 0.9)[run.seed] if metric == "matched_dpd" else 0.5

    assert side(values_of(value), [PLAIN], "spread").tolist() == pytest.approx([25, 15, 5, 5, 15, 55])


def test_a_correlation_is_over_the_models_of_a_unit():
    """In even units the distance orders the models as the gap does, in odd ones the other way round."""

    def value(run, kind, metric):
        if metric == "matched_dpd":
            return (-1) ** run.seed * float(run.lam)
        return float(run.lam) ** 2 if metric == "margin_w1" else 0.5

    runs = [run_value(correlation=["margin_w1", "matched_dpd"])]
    assert side(values_of(value), runs, "rank-correlation").tolist() == pytest.approx([1, -1] * 3)


def test_measures_of_clip_the_bias_are_means_over_evaluations():
    kinds = {"i": "representation", "a": "association", "b": "association", "z": "zero_shot", "f": "few_shot"}
    settings = {
        **SETTINGS,
        "grids": {"plain": grid("world", ["plain"], seeds=UNITS, evaluations=list(kinds))},
        "evaluations": {name: {"kind": kind} for name, kind in kinds.items()},
    }
    found = {"parity_mean": -0.2, "association_mean": 0.1, "accuracy": 0.5, "accuracy_10shot": 0.7}
    values = values_of(lambda run, kind, metric: found[metric], settings)
    expected = {"parity": 0.2, "association": 0.1, "classification": 60}
    for measure, mean in expected.items():
        assert side_values(values, [PLAIN], measure, ["w"], settings, UNITS).tolist() == pytest.approx(
            [mean] * 6
        )


def test_runs_that_the_levels_do_not_tell_apart_are_an_error():
    with pytest.raises(UserError, match="several settings of runs are method loss, kind threshold_free"):
        select(values_of(random_value), {"method": "loss"}, "auc", "race", UNITS)


@pytest.mark.parametrize(("draws", "seeds", "share"), [(1.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 1.0, 0.5)])
def test_the_share_of_draws_is_that_of_their_variance(draws, seeds, share):
    rng = np.random.default_rng(0)
    n = 200_000
    pairs = draws * rng.standard_normal((n, 1)) + seeds * rng.standard_normal((n, 2))
    assert draw_share(pairs) == pytest.approx(share, abs=0.01)
    assert np.isnan(draw_share(np.zeros((5, 2))))


def test_an_interval_over_draws_and_seeds_has_the_variance_of_both():
    rng = np.random.default_rng(0)
    draws, seeds = rng.normal(0, 1, (20, 1)), rng.normal(0, 1, (20, 2))
    alone, both = describe_pairs(draws + np.zeros((20, 2))), describe_pairs(draws + seeds)
    assert alone["low"] < alone["mean"] < alone["high"]
    assert alone["mean"] == pytest.approx(draws.mean())
    # Of both, the variance of the mean of two seeds is 1 + 1/2 between draws, and 1/2 again within them.
    widths = [found["high"] - found["low"] for found in (alone, both)]
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(2), abs=0.3)


def test_only_the_last_checkpoint_counts():
    records = make_records(SETTINGS, random_value)
    early = records.assign(examples=100, value=9.0)
    found = unit_values(pd.concat([early, records]), SETTINGS)
    pd.testing.assert_frame_equal(found, unit_values(records, SETTINGS))
