"""The metrics that tables name are those that evaluations have, and a table gets runs that it can show."""

import importlib

import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.evaluate.protocol import Embedded, Sample
from clipfair.plan.shown_values import metrics_of


@pytest.mark.parametrize(
    "name",
    [
        "embedded-objects-representation",
        "embedded-faces-association",
        "embedded-objects-zero-shot",
        "embedded-textures-few-shot",
        "embedded-captions-retrieval",
    ],
)
def test_the_metrics_are_those_of_the_evaluation(plan_of, name):
    evaluation = plan_of().configuration.evaluations[name]
    table = pd.DataFrame({"key": list("abcd"), "label": pd.Categorical(list("xyxy"))})
    table["gender"] = ["Male", "Female"] * 2
    table["captions"] = [["a"]] * 4
    units = np.eye(4, dtype=np.float32)
    sample = Sample(table, units, units)
    settings = evaluation.job_settings()
    rows = {"attributes": 2, "occupations": len(settings.get("occupations", "")), "neutral": 1, "groups": 2}
    rows |= {"classes": 2, "captions": 4}
    texts = {part: units[np.arange(n) % 4] for part, n in rows.items()}
    kind = importlib.import_module(f"clipfair.evaluate.kinds.{evaluation.kind}")
    result = kind.evaluate(Embedded(sample, sample, texts, 1.0), settings, np.random.default_rng(0))
    assert {one.metric for one in result.measures if one.label is None} == set(metrics_of(evaluation))


def test_parity_is_of_two_attributes(plan_of):
    evaluation = plan_of().configuration.evaluations["embedded-objects-representation"]
    three = evaluation.model_copy(update={"attributes": ["a", "b", "c"]})
    assert metrics_of(three) == ["representation_bias"]


def test_other_kinds_are_not_checked(plan_of):
    assert metrics_of(plan_of().configuration.evaluations["embedded-fundus-test"]) is None


@pytest.mark.parametrize(
    ("table", "settings", "message"),
    [
        (
            "m4/figure2",
            {"metric": "parity_men"},
            "settings.metric: unknown metric of embedded-objects-repres",
        ),
        (
            "m4/figure17",
            {"metrics": ["accuracy_7shot"]},
            "unknown metric of embedded-objects-few-shot, embedd",
        ),
        ("m4/figure20", {"groups": ["men"]}, "settings.groups: unknown group of embedded-faces-association"),
        ("fairclip/epochs", {"distances": ["distance_x"]}, "settings.distances: unknown tracked distance"),
        ("fairclip/epochs", {"split": "tset"}, "settings.split: 'tset' should be 'validation' or 'test'"),
        ("m4/figure18", {"metrics": ["accuracy", "parity_mean"]}, "settings.metrics: unknown metric of"),
    ],
)
def test_an_unknown_metric_group_or_split_is_refused_before_any_job(plan_of, table, settings, message):
    with pytest.raises(UserError) as error:
        plan_of(overlay={"tables": {table: {"settings": settings}}})
    assert f"tables.{table}." in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("study", ["embedded", "paper"])
def test_two_methods_in_a_table_of_one_are_refused_before_any_job(plan_of, study):
    with pytest.raises(UserError) as error:
        plan_of(study, overlay={"grids": {"m4-neutralise": {"methods": ["clip", "siglip"]}}})
    message = "table 'm4/figure12' shows runs of one method, and its grids have clip, siglip; give the others"
    assert f"grids.m4-neutralise.methods: {message}" in str(error.value)


def test_more_shots_than_a_dataset_can_have_are_refused_before_any_job(plan_of):
    with pytest.raises(UserError) as error:
        plan_of(overlay={"evaluations": {"colorectal-few-shot": {"shots": [1, 251]}}})
    assert "251 shots of 8 classes are 2,008 examples; colorectal has 2,000 in the support" in str(
        error.value
    )
