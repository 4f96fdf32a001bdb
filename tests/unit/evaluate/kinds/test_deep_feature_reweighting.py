"""DFR on embeddings: a planted gap that it closes, halves of validation, values that can be recomputed."""

import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.evaluate.kinds.deep_feature_reweighting import evaluate
from clipfair.evaluate.protocol import Embedded, Sample
from clipfair.metrics.threshold_free import matched_threshold
from clipfair.plan.configuration.evaluations import DeepFeatureReweightingEvaluation

SETTINGS = {"label": "glaucoma", "sensitive": ["race", "gender"], "balanced": "race"}


def sample(n, rng, agreement):
    """Embeddings with a feature of the label and a stronger one of race, which agrees with the label."""
    label = rng.integers(2, size=n)
    race = np.where(rng.random(n) < agreement, label, 1 - label)
    table = pd.DataFrame(
        {
            "key": [f"data_{i:05}" for i in range(n)],
            "glaucoma": label,
            "race": pd.Categorical.from_codes(race, ["asian", "black"]),
            "gender": pd.Categorical(rng.choice(["female", "male"], n)),
        }
    )
    images = np.column_stack([2 * label - 1, 4 * race - 2, np.zeros(n)]) + rng.normal(size=(n, 3))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    return Sample(table, images.astype(np.float32), np.empty((n, 0)))


def made(validation=2000, agreement=0.9):
    rng = np.random.default_rng(0)
    return Embedded(sample(5000, rng, 0.5), sample(validation, rng, agreement), {}, scale=100.0)


def values_of(result):
    return {(row.metric, row.label): row.value for row in result.measures if row.group is None}


def test_a_planted_gap_is_closed_without_levelling_down():
    """On test race says nothing about the label; a layer that trusts it selects black people."""
    embedded = made()
    reweighted = values_of(evaluate(embedded, SETTINGS, np.random.default_rng(0)))
    # Balancing gender leaves race as it is in validation.
    other = values_of(evaluate(embedded, {**SETTINGS, "balanced": "gender"}, np.random.default_rng(0)))
    assert other["matched_dpd", "race"] > 0.5
    assert reweighted["matched_dpd", "race"] < 0.1
    assert reweighted["matched_deodds", "race"] < 0.1
    assert reweighted["auc", None] > other["auc", None] + 0.1
    assert reweighted["worst_auc", "race"] > other["worst_auc", "race"] - 0.02


def test_one_half_of_validation_fits_and_the_other_has_the_threshold():
    embedded = made(validation=400)
    result = evaluate(embedded, SETTINGS, np.random.default_rng(0))
    validation, test = (result.scores[result.scores["part"] == part] for part in ("validation", "test"))
    assert len(test) == 5000
    assert 190 <= len(validation) <= 200
    table = embedded.support.table
    of_all, of_half = (
        part.groupby(["race", "glaucoma"], observed=True).size()
        for part in (table, table[table["key"].isin(validation["key"])])
    )
    assert (of_half == of_all // 2).all()
    threshold = matched_threshold(validation["label"].to_numpy(), validation["margin"].to_numpy(np.float64))
    selected = (test["margin"] >= threshold).groupby(test["gender"], observed=True).mean()
    expected = selected.max() - selected.min()
    assert values_of(result)["matched_dpd", "gender"] == pytest.approx(expected)


def test_a_cell_with_one_example_is_reported():
    embedded = made()
    table = embedded.support.table
    rows = table.index[(table["race"] == "asian") & (table["glaucoma"] == 1)]
    table.loc[rows[1:], "glaucoma"] = 0
    with pytest.raises(UserError, match="race asian has 1 examples of label 1 in the support"):
        evaluate(embedded, SETTINGS, np.random.default_rng(0))


def test_the_balanced_attribute_is_one_of_the_sensitive_ones():
    entry = {"kind": "deep_feature_reweighting", "dataset": "d", "split": "test", "support": {"split": "val"}}
    entry |= {"label": "y", "sensitive": ["race", "gender"]}
    DeepFeatureReweightingEvaluation(**entry, balanced="race")
    with pytest.raises(ValueError, match="balanced: 'age' is not among sensitive"):
        DeepFeatureReweightingEvaluation(**entry, balanced="age")
