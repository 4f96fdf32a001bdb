import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance
from sklearn.metrics import roc_auc_score

from clipfair.core.errors import UserError
from clipfair.evaluate.kinds import group_fairness
from clipfair.evaluate.kinds.threshold_free import evaluate
from clipfair.evaluate.protocol import Embedded, Sample
from clipfair.metrics.threshold_free import matched_threshold
from clipfair.plan.configuration.evaluations import ThresholdFreeEvaluation

SETTINGS = {
    "kind": "threshold_free",
    "label": "glaucoma",
    "sensitive": ["race", "gender"],
    "intersections": [["race", "gender"]],
}


def unit(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def sample(n, rng):
    table = pd.DataFrame(
        {
            "key": [f"data_{i:05}" for i in range(n)],
            "glaucoma": rng.integers(0, 2, n),
            "race": pd.Categorical(rng.choice(["asian", "black", "white"], n)),
            "gender": pd.Categorical(rng.choice(["Female", "Male"], n)),
        }
    )
    return Sample(table, unit(rng.normal(size=(n, 4))), np.empty((n, 0)))


def made(prompts=2, validation=60, test=150):
    rng = np.random.default_rng(0)
    texts = {"prompts": unit(rng.normal(size=(prompts, 4))), "captions": unit(rng.normal(size=(test, 4)))}
    return Embedded(sample(test, rng), sample(validation, rng), texts, scale=100.0)


def run(embedded, **settings):
    result = evaluate(embedded, {**SETTINGS, **settings}, np.random.default_rng(0))
    validation, test = (result.scores[result.scores["part"] == part] for part in ("validation", "test"))
    rows = {(row.metric, row.label): row for row in result.measures if row.group is None}
    return rows, validation, test


def test_the_threshold_is_chosen_on_validation_and_measured_on_both_parts():
    rows, validation, test = run(made())
    assert (len(validation), len(test)) == (60, 150)
    threshold = matched_threshold(validation["label"].to_numpy(), validation["margin"].to_numpy())
    assert rows["matched_threshold", None].value == threshold
    for metric, part in (("matched_dpd", test), ("validation_matched_dpd", validation)):
        selected = (part["margin"] >= threshold).groupby(part["race"], observed=True).mean()
        assert rows[metric, "race"].value == pytest.approx(selected.max() - selected.min())
    assert ("abroca_floor", "race x gender") in rows
    for metric, part in (("auc", test), ("validation_auc", validation)):
        assert rows[metric, None].value == pytest.approx(roc_auc_score(part["label"], part["margin"]))
        assert rows[metric, None].n == len(part)


def test_at_one_half_the_metrics_are_those_of_group_fairness():
    embedded = made()
    rows, _, _ = run(embedded)
    papers = group_fairness.evaluate(embedded, SETTINGS, np.random.default_rng(0)).measures
    for measure in papers:
        if measure.group is None and measure.metric in ("auc", "dpd", "deodds"):
            assert rows[measure.metric, measure.label].value == pytest.approx(measure.value)


def test_the_margin_is_the_difference_of_the_logits_of_both_prompts():
    embedded = made()
    _, _, test = run(embedded)
    logits = 100 * embedded.test.images.astype(float) @ embedded.texts["prompts"].T
    assert test["margin"].to_numpy() == pytest.approx(logits[:, 1] - logits[:, 0], rel=1e-4, abs=1e-5)


def test_distances_of_the_own_text_need_the_setting_captions():
    embedded = made()
    rows, _, test = run(embedded)
    assert "score" not in test
    assert ("own_w1", "race") not in rows
    rows, validation, test = run(embedded, captions="all")
    expected = 100 * (embedded.test.images * embedded.texts["captions"]).sum(axis=1)
    assert test["score"].to_numpy() == pytest.approx(expected, rel=1e-5)
    assert validation["score"].isna().all()
    for metric, column in (("own_w1", "score"), ("margin_w1", "margin")):
        values = test[column].to_numpy(float)
        summed = sum(wasserstein_distance(values[test["race"] == one], values) for one in set(test["race"]))
        assert rows[metric, "race"].value == pytest.approx(summed)


def test_scores_have_few_bytes():
    _, _, test = run(made(), captions="all")
    assert test.dtypes.astype(str).to_dict() == {
        "part": "category",
        "key": str(test["key"].dtype),
        "label": "int8",
        "race": "category",
        "gender": "category",
        "margin": "float32",
        "score": "float32",
    }


def test_wrong_settings_are_reported():
    with pytest.raises(UserError, match=r"expected two prompts.*found 3"):
        evaluate(made(prompts=3), SETTINGS, np.random.default_rng(0))
    embedded = made()
    embedded.support.table["glaucoma"] = 1
    with pytest.raises(UserError, match="labels of the support are all equal"):
        evaluate(embedded, SETTINGS, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("several", "message"),
    [
        ([["race", "gender"], ["race", "gender"]], "twice"),
        ([["race", "age"]], "not all among sensitive"),
    ],
)
def test_intersections_are_checked_when_the_study_is_planned(several, message):
    entry = {"kind": "threshold_free", "dataset": "d", "split": "test", "support": {"split": "val"}}
    entry |= {"label": "y", "prompts": ["no", "yes"], "sensitive": ["race", "gender"]}
    ThresholdFreeEvaluation(**entry, intersections=[["race", "gender"]])
    with pytest.raises(ValueError, match=message):
        ThresholdFreeEvaluation(**entry, intersections=several)
