"""Thresholds of groups: fairlearn's decisions, a planted gap that closes, values that can be recomputed."""

import numpy as np
import pandas as pd
import pytest
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.metrics import roc_auc_score

from clipfair.core.errors import UserError
from clipfair.evaluate.kinds.group_thresholds import CONSTRAINTS, PassedScores, evaluate, select
from clipfair.evaluate.protocol import Embedded, Sample
from clipfair.metrics.decisions import compare_decisions

SETTINGS = {"kind": "group_thresholds", "label": "glaucoma", "sensitive": ["race"]}
RACES = ["asian", "black", "white"]


def sample(n, rng, shift):
    """Images that point to the second prompt with glaucoma, those of black people more by ``shift``."""
    table = pd.DataFrame(
        {
            "key": [f"data_{i:05}" for i in range(n)],
            "glaucoma": rng.integers(0, 2, n),
            "race": pd.Categorical(rng.choice(RACES, n)),
        }
    )
    angle = table["glaucoma"] + shift * (table["race"] == "black") + rng.normal(size=n)
    angle = np.pi / 4 + angle.to_numpy() / 10
    return Sample(table, np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32), np.empty((n, 0)))


def made(*, shift=2.0, validation=3000, test=5000, prompts=2):
    rng = np.random.default_rng(0)
    texts = {"prompts": np.eye(prompts, 2, dtype=np.float32)}
    return Embedded(sample(test, rng, shift), sample(validation, rng, shift), texts, scale=100.0)


@pytest.fixture(scope="module")
def embedded():
    return made()


def test_a_planted_gap_is_closed_on_test_by_the_thresholds_of_its_constraint(embedded):
    result = evaluate(embedded, SETTINGS, np.random.default_rng(0))
    values = {row.metric: row.value for row in result.measures}
    test = result.scores[result.scores["part"] == "test"]
    alone = compare_decisions(
        test["label"].to_numpy(), (test["margin"] >= 0).to_numpy(), test["race"].cat.codes.to_numpy()
    )
    assert alone["dpd"] > 0.25
    assert alone["deodds"] > 0.25
    assert values["matched_dpd"] < 0.04
    assert values["matched_deodds"] < 0.06
    # Base rates are equal, so the gap is not closed by levelling down.
    assert values["parity_worst_balanced_accuracy"] > alone["worst_balanced_accuracy"]


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_the_expected_decisions_are_the_mean_of_fairlearns_draws(embedded, constraint):
    scores = evaluate(embedded, SETTINGS, np.random.default_rng(0)).scores
    validation, test = (scores[scores["part"] == part] for part in ("validation", "test"))
    optimizer = ThresholdOptimizer(
        estimator=PassedScores(), constraints=constraint, prefit=True, predict_method="predict"
    )
    parts = (validation, test)
    scores_of = [part[["margin"]].to_numpy(float) for part in parts]
    groups_of = [part["race"].astype(str).to_numpy() for part in parts]
    optimizer.fit(scores_of[0], validation["label"].to_numpy(), sensitive_features=groups_of[0])
    drawn = np.mean(
        [
            optimizer.predict(scores_of[1], sensitive_features=groups_of[1], random_state=seed)
            for seed in range(40)
        ],
        axis=0,
    )
    selected = test[f"{constraint}_race"].to_numpy()
    for race in RACES:
        rows = groups_of[1] == race
        assert drawn[rows].mean() == pytest.approx(selected[rows].mean(), abs=5e-3)
    certain = (selected == 0) | (selected == 1)
    assert certain.any()
    np.testing.assert_array_equal(drawn[certain], selected[certain])


def test_every_value_can_be_recomputed_from_the_scores(embedded):
    result = evaluate(embedded, SETTINGS, np.random.default_rng(0))
    test = result.scores[result.scores["part"] == "test"]
    for constraint, (metric, of_decisions, prefix) in CONSTRAINTS.items():
        expected = compare_decisions(
            test["label"].to_numpy(), test[f"{constraint}_race"].to_numpy(), test["race"].cat.codes.to_numpy()
        )
        values = {row.metric: row.value for row in result.measures}
        assert values[metric] == expected[of_decisions]
        assert values[f"{prefix}balanced_accuracy"] == expected["balanced_accuracy"]


def test_a_group_that_validation_does_not_have_leaves_the_metrics_undefined(embedded):
    scores = evaluate(embedded, SETTINGS, np.random.default_rng(0)).scores
    validation, test = (scores[scores["part"] == part] for part in ("validation", "test"))
    assert np.isnan(select(validation[validation["race"] != "black"], test, "race", "equalized_odds")).all()
    few = made()
    few.support.table.loc[few.support.table["race"] == "black", "glaucoma"] = 1
    measures = evaluate(few, SETTINGS, np.random.default_rng(0)).measures
    undefined = {row.metric for row in measures if row.label == "race" and row.reason}
    defined = {row.metric for row in measures if row.label == "race" and not row.reason}
    assert {"matched_dpd", "matched_deodds", "parity_selection_rate"} <= undefined
    assert defined == {"auc_gap", "worst_auc"}


def test_examples_of_unknown_group_are_left_out(embedded):
    part = made()
    unknown = part.test.table["race"] == "asian"
    part.test.table.loc[unknown, "race"] = None
    result = evaluate(part, SETTINGS, np.random.default_rng(0))
    [row] = [row for row in result.measures if row.metric == "matched_dpd"]
    assert row.n == int((~unknown).sum())
    test = result.scores[result.scores["part"] == "test"]
    np.testing.assert_array_equal(test["equalized_odds_race"].isna(), unknown)


def test_wrong_prompts_are_reported():
    with pytest.raises(UserError, match="expected two prompts"):
        evaluate(made(prompts=3, test=50, validation=50), SETTINGS, np.random.default_rng(0))


def test_thresholds_keep_the_aucs_of_the_margins(embedded):
    result = evaluate(embedded, SETTINGS, np.random.default_rng(0))
    test = result.scores[result.scores["part"] == "test"]
    aucs = [roc_auc_score(part["label"], part["margin"]) for _, part in test.groupby("race", observed=True)]
    values = {(row.metric, row.label): row.value for row in result.measures}
    assert values["auc", None] == pytest.approx(roc_auc_score(test["label"], test["margin"]))
    assert values["worst_auc", "race"] == pytest.approx(min(aucs))
    assert values["auc_gap", "race"] == pytest.approx(max(aucs) - min(aucs))


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_the_constraint_holds_on_the_examples_that_the_thresholds_are_chosen_on(embedded, constraint):
    scores = evaluate(embedded, SETTINGS, np.random.default_rng(0)).scores
    validation = scores[scores["part"] == "validation"].reset_index(drop=True)
    selected = select(validation, validation, "race", constraint)
    codes = validation["race"].cat.codes.to_numpy()
    found = compare_decisions(validation["label"].to_numpy(), selected, codes)
    assert found[CONSTRAINTS[constraint][1]] < 1e-9
