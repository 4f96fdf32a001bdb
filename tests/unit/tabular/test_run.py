import json

import numpy as np
import pytest

from clipfair.core.errors import UserError
from clipfair.plan.mitigation_settings import ClassifierSettings
from clipfair.tabular.metrics import evaluate_predictions
from clipfair.tabular.protocol import Protocol
from clipfair.tabular.run import evaluate_mitigation

SMALL = Protocol(classifier=ClassifierSettings(hidden_units=8, learning_rate=0.01, epochs=2))


def evaluate(table, *, kind="baseline", settings=None, seeds=(0, 1)):
    return evaluate_mitigation(
        table,
        label="income",
        sensitive="sex",
        kind=kind,
        settings=settings or {},
        protocol=SMALL,
        seeds=seeds,
    )


def test_metrics_are_those_of_the_predictions(table):
    metrics, predictions = evaluate(table)
    assert [repeat["seed"] for repeat in metrics["repeats"]] == [0, 1]
    for repeat in metrics["repeats"]:
        mine = predictions[predictions["seed"] == repeat["seed"]]
        np.testing.assert_array_equal(mine["y"], table["income"].to_numpy()[mine["row"]])
        expected = evaluate_predictions(
            mine["y"].to_numpy(),
            mine["y_hat"].to_numpy(),
            sensitive_features=mine["s"].astype(str).to_numpy(),
            groups=metrics["groups"],
        )
        assert {**expected, "seed": repeat["seed"], "details": {}} == repeat
    assert metrics["n_train"] + metrics["repeats"][0]["n"] == len(table)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("rto", {"gamma": 0.05}),
        ("threshold_optimizer", {}),
        ("m4", {}),
        ("reduction", {"max_iter": 2}),
    ],
)
def test_a_seed_fixes_everything_whatever_other_seeds_are_run(table, kind, settings):
    both, predictions = evaluate(table, kind=kind, settings=settings)
    alone, prediction = evaluate(table, kind=kind, settings=settings, seeds=[1])
    assert both["repeats"][1] == alone["repeats"][0]
    assert predictions[predictions["seed"] == 1].reset_index(drop=True).equals(prediction)
    assert both["repeats"][0]["error"] != both["repeats"][1]["error"]


def test_with_a_fixed_split_repeats_differ_in_the_classifier_only(table):
    metrics, predictions = evaluate(table, settings={"split_seed": 1}, seeds=[0, 1, 2])
    rows = [predictions[predictions["seed"] == seed]["row"].to_numpy() for seed in (0, 1, 2)]
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])
    assert len({repeat["error"] for repeat in metrics["repeats"]}) > 1
    own, _ = evaluate(table, seeds=[1])
    assert metrics["repeats"][1] == own["repeats"][0]


def test_metrics_are_json_even_where_a_group_is_empty(table):
    one_woman = table[(table["sex"] == "male") | (table.index == table.index[table["sex"] == "female"][0])]
    metrics, _ = evaluate(one_woman, seeds=range(3))
    json.dumps(metrics, allow_nan=False)
    empty = [repeat for repeat in metrics["repeats"] if repeat["groups"]["female"]["n"] == 0]
    assert empty
    assert all(repeat["demographic_parity_difference"] is None for repeat in empty)


def test_a_wrong_setting_is_reported_before_anything_is_fitted(table):
    with pytest.raises(UserError, match="rto: unknown setting 'gama'"):
        evaluate(table, kind="rto", settings={"gama": 1})
