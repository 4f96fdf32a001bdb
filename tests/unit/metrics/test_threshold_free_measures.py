import numpy as np
import pandas as pd
import pytest

from clipfair.metrics.threshold_free import compare
from clipfair.metrics.threshold_free_measures import (
    CalibratedPredictions,
    group_codes,
    intersect,
    measure_attributes,
    measure_auc,
    measure_selection,
)

RACES, GENDERS = ("asian", "black", "white"), ("female", "male")


def made(n=120):
    rng = np.random.default_rng(0)
    y, margin = rng.integers(0, 2, n), rng.normal(size=n)
    race = pd.Categorical(np.resize(["asian", "black", None, "white"], n), [*RACES, "other"])
    groups = pd.DataFrame({"race": race, "gender": pd.Categorical(rng.choice(GENDERS, n))})
    return CalibratedPredictions(y, margin, 1 / (1 + np.exp(-margin))), groups


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


def test_groups_are_numbered_without_gaps_and_a_missing_one_is_minus_one():
    column = pd.Series(pd.Categorical(["c", None, "a"], ["a", "b", "c"]))
    assert group_codes(column).tolist() == [1, -1, 0]


def test_examples_without_a_group_and_groups_without_an_example_are_left_out():
    predictions, groups = made()
    rows = measure(predictions, {"race": groups["race"]})
    known = groups["race"].notna().to_numpy()
    codes = groups["race"][known].cat.codes.to_numpy()
    expected = compare(*predictions.of(known), codes, threshold=0.5)
    for metric in ("mean_dpd", "matched_dpd", "auc_gap", "dpd", "deodds"):
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


def test_the_dpd_of_a_sample_is_counted_over_its_known_groups():
    predictions, groups = made()
    features = {"race": groups["race"], "alone": pd.Series(["one"] * len(groups), dtype="category")}
    of_race, alone = measure_selection(
        "validation_matched_dpd", predictions.margin, sensitive_features=features, threshold=0.3
    )
    shares = (predictions.margin >= 0.3)[groups["race"].notna()]
    shares = pd.Series(shares).groupby(groups["race"].dropna().to_numpy()).mean()
    assert of_race.value == pytest.approx(shares.max() - shares.min())
    assert (of_race.metric, of_race.label, of_race.n) == ("validation_matched_dpd", "race", 90)
    assert (alone.value, alone.reason) == (None, "one group alone")


def test_an_auc_of_one_label_is_undefined():
    assert measure_auc("auc", np.array([0, 1]), np.array([0.1, 0.2])).value == 1
    assert measure_auc("auc", np.array([1, 1]), np.array([0.1, 0.2])).reason == "all labels are equal"
