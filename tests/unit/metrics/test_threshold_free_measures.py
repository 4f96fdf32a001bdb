import numpy as np
import pandas as pd
import pytest

from clipfair.metrics.threshold_free import compare
from clipfair.metrics.threshold_free_measures import CalibratedPredictions, intersect, measure_attributes

RACES, GENDERS = ("asian", "black", "white"), ("female", "male")


def made(n=120):
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, n), rng.random(n)
    race = pd.Categorical(np.resize(["asian", "black", None, "white"], n), [*RACES, "other"])
    groups = pd.DataFrame({"race": race, "gender": pd.Categorical(rng.choice(GENDERS, n))})
    return CalibratedPredictions(y, p, p), groups


def measure(predictions, features, **options):
    rows = measure_attributes(
        predictions, sensitive_features=features, threshold=0.5, rng=np.random.default_rng(0), **options
    )
    return {(row.metric, row.label, row.group): row for row in rows}


def test_intersections_are_the_observed_combinations_of_known_values():
    _, groups = made()
    found = intersect(groups, ["race", "gender"])
    assert found.isna().equals(groups["race"].isna())
    assert set(found.cat.categories) == {f"{race} x {gender}" for race in RACES for gender in GENDERS}
    both = (groups["race"] == "black") & (groups["gender"] == "male")
    assert (found == "black x male").sum() == both.sum()


def test_examples_without_a_group_and_groups_without_an_example_are_left_out():
    predictions, groups = made()
    rows = measure(predictions, {"race": groups["race"]})
    known = groups["race"].notna().to_numpy()
    codes = groups["race"][known].cat.codes.to_numpy()
    expected = compare(*predictions.of(known), codes, threshold=0.5)
    for metric in ("mean_dpd", "matched_dpd", "auc_gap"):
        assert rows[metric, "race", None].value == pytest.approx(expected[metric][0])
        assert rows[metric, "race", None].n == known.sum() == 90
        assert 0 < rows[f"{metric}_floor", "race", None].value < 1
    assert {group for metric, _, group in rows if metric == "examples"} == {"asian", "black", "white"}


def test_intervals_are_optional():
    predictions, groups = made()
    plain = measure(predictions, {"gender": groups["gender"]})["auc_gap", "gender", None]
    resampled = measure(predictions, {"gender": groups["gender"]}, replicates=50)["auc_gap", "gender", None]
    assert (plain.low, plain.high) == (None, None)
    assert resampled.low < resampled.high
    assert resampled.value == plain.value


def test_what_is_undefined_has_a_reason():
    predictions, groups = made()
    alone = pd.Series(pd.Categorical(["one"] * len(groups)))
    found = measure(predictions, {"alone": alone})["mean_dpd", "alone", None]
    assert found.reason.startswith("one group alone")
    of_one_label = pd.Series(pd.Categorical(np.where(predictions.y == 1, "positive", "negative")))
    rows = measure(predictions, {"label": of_one_label})
    assert rows["abroca", "label", None].value is None
    assert rows["matched_dpd", "label", None].value is not None
