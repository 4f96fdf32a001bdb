"""Distances as measures: scipy's Wasserstein distance, pairing of sorted values, the training loss."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import wasserstein_distance

from clipfair.metrics.distance_measures import measure_group_distances, sum_of_distances
from clipfair.metrics.distances import group_distances

EXACT = [{"kind": "wasserstein", "p": p} for p in (1, 2)]


def made(n=300):
    rng = np.random.default_rng(0)
    race = pd.Series(pd.Categorical(rng.choice(["asian", "black", "white"], n, p=[0.2, 0.3, 0.5])))
    y = rng.integers(0, 2, n)
    margin = rng.normal(y + (race == "black"), 1)
    own = rng.normal(20 + 3 * (race == "asian"), 2)
    return y, margin, own, race


def by_name(*arrays, **features):
    rows = measure_group_distances(*arrays, sensitive_features=features)
    return {(row.metric, row.label): row for row in rows}


def half_squared(x, y):
    """W2 squared / 2, both samples repeated to one length: then sorted values are paired."""
    x, y = np.sort(np.repeat(x, len(y))), np.sort(np.repeat(y, len(x)))
    return np.mean((x - y) ** 2) / 2


def summed(function, scores, groups):
    return sum(function(scores[(groups == group).to_numpy()], scores) for group in groups.cat.categories)


def test_distances_are_sums_over_the_groups_of_their_distance_to_all_examples():
    y, margin, own, race = made()
    rows = by_name(y, margin, own, race=race)
    values = {metric: row.value for (metric, _), row in rows.items()}
    assert values["margin_w1"] == pytest.approx(summed(wasserstein_distance, margin, race))
    assert values["margin_w2"] == pytest.approx(summed(half_squared, margin, race))
    assert values["own_w1"] == pytest.approx(summed(wasserstein_distance, own, race))
    assert values["own_w2"] == pytest.approx(summed(half_squared, own, race))
    assert values["own_w2_scale_free"] == pytest.approx(values["own_w2"] / np.var(own))
    for p, function in ((1, wasserstein_distance), (2, half_squared)):
        of_labels = [
            summed(function, margin[y == label], race[y == label].reset_index(drop=True)) for label in (0, 1)
        ]
        assert values[f"margin_w{p}_within_labels"] == pytest.approx(np.mean(of_labels))
    assert {row.n for row in rows.values()} == {len(y)}


@pytest.mark.parametrize("settings", EXACT)
def test_a_distance_is_the_fairness_loss_of_one_batch_of_all_examples(settings):
    _, margin, _, race = made()
    groups = [torch.tensor(margin[(race == group).to_numpy()]) for group in race.cat.categories]
    loss = group_distances(settings, torch.tensor(margin), groups).sum()
    codes = race.cat.codes.to_numpy()
    assert sum_of_distances(margin, codes, p=settings["p"]) == pytest.approx(float(loss))


def test_an_example_without_a_group_is_among_all_examples():
    y, margin, own, race = made()
    missing = np.arange(len(y)) % 7 == 0
    some = race.mask(missing)
    found = by_name(y, margin, own, race=some)["margin_w1", "race"].value
    expected = sum(wasserstein_distance(margin[(some == group).to_numpy()], margin) for group in set(race))
    assert found == pytest.approx(expected)


def test_the_scale_free_distance_alone_keeps_its_value_if_all_scores_shrink():
    y, margin, own, race = made()
    whole, tenth = (by_name(y, margin * scale, own * scale, race=race) for scale in (1, 0.1))
    for (metric, _), row in whole.items():
        power = 0 if "scale_free" in metric else 1 if "w1" in metric else 2
        assert tenth[metric, "race"].value == pytest.approx(row.value * 0.1**power), metric


def test_equal_groups_have_no_distance_and_a_shifted_group_has():
    y, codes = np.tile([0, 1], 100), pd.Series(np.repeat(["a", "b"], 100), dtype="category")
    margin = np.tile(np.linspace(-1, 1, 100), 2)
    assert by_name(y, margin, None, group=codes)["margin_w1_within_labels", "group"].value == pytest.approx(0)
    shifted = margin + 0.5 * (codes == "b").to_numpy()
    assert by_name(y, shifted, None, group=codes)["margin_w1", "group"].value == pytest.approx(0.5)


def test_without_a_score_of_the_own_text_there_are_no_distances_of_it():
    y, margin, _, race = made()
    assert not any(metric.startswith("own") for metric, _ in by_name(y, margin, None, race=race))


def test_what_is_undefined_has_a_reason():
    y, margin, own, race = made()
    alone = pd.Series(["one"] * len(y), dtype="category")
    rows = by_name(y, margin, np.ones(len(y)), alone=alone, race=race)
    assert rows["margin_w1", "alone"].reason.startswith("one group alone")
    assert rows["own_w2_scale_free", "race"].value is None
    assert rows["own_w2", "race"].value == 0
    of_one_label = pd.Series(np.where(y == 1, "positive", "negative"), dtype="category")
    rows = by_name(y, margin, own, label=of_one_label)
    assert rows["margin_w1_within_labels", "label"].value is None
    assert rows["margin_w1", "label"].value > 0
