import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.evaluate.kinds.threshold_free import evaluate
from clipfair.evaluate.protocol import Embedded, Sample
from clipfair.metrics.threshold_free import matched_threshold
from clipfair.plan.configuration.evaluations import ThresholdFreeEvaluation

SETTINGS = {"label": "glaucoma", "sensitive": ["race", "gender"], "intersections": [["race", "gender"]]}


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


def made(prompts=2, validation=60):
    rng = np.random.default_rng(0)
    texts = {"prompts": unit(rng.normal(size=(prompts, 4)))}
    return Embedded(sample(150, rng), sample(validation, rng), texts, scale=100.0)


def test_the_threshold_is_chosen_on_validation_and_measured_on_test():
    result = evaluate(made(), SETTINGS, np.random.default_rng(0))
    validation, test = (result.scores[result.scores["part"] == part] for part in ("validation", "test"))
    assert (len(validation), len(test)) == (60, 150)
    threshold = matched_threshold(validation["label"].to_numpy(), validation["p"].to_numpy())
    rows = {(row.metric, row.label): row for row in result.measures if row.group is None}
    assert rows["matched_threshold", None].value == threshold
    selected = (test["p"] >= threshold).groupby(test["race"], observed=True).mean()
    assert rows["matched_dpd", "race"].value == pytest.approx(selected.max() - selected.min())
    assert ("abroca_floor", "race x gender") in rows


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
