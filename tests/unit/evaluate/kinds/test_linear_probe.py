import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from clipfair.core.errors import UserError
from clipfair.evaluate.kinds.linear_probe import evaluate
from clipfair.evaluate.protocol import Embedded, Sample

SETTINGS = {
    "label": "glaucoma",
    "sensitive": ["race"],
    "validation": "val",
    "feature": "embedding",
    "epochs": 20,
    "batch_size": 32,
    "warm_up": 2,
    "every": 5,
    "base_rate": 50.0,
}


def sample(n, splits, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    images = rng.normal(size=(n, 4)).astype(np.float32)
    images[:, 0] += 2 * y
    table = pd.DataFrame(
        {
            "key": [f"{seed}-{i}" for i in range(n)],
            "split": np.array(splits)[np.arange(n) % len(splits)],
            "glaucoma": y,
            "race": pd.Categorical(rng.choice(["asian", "black"], n)),
        }
    )
    return Sample(table, images, np.empty((n, 0), np.float32))


def embedded(seed=0):
    return Embedded(
        sample(90, ["test"], 1), sample(300, ["train", "train", "val"], 2), {}, scale=1.0, seed=seed
    )


def run(given, **settings):
    return evaluate(given, {**SETTINGS, **settings}, np.random.default_rng(0))


def test_it_gives_the_metrics_of_group_fairness_without_distances():
    result = run(embedded())
    found = {(measure.metric, measure.label, measure.group): measure for measure in result.measures}
    expected = roc_auc_score(result.scores["label"], result.scores["p"])
    assert found["auc", None, None].value == pytest.approx(expected)
    assert expected > 0.8
    assert found["auc", None, None].n == 90
    assert not any(metric.startswith("distance") for metric, _, _ in found)
    assert result.scores["key"].tolist() == embedded().test.table["key"].tolist()


def test_the_probe_is_drawn_with_the_seed_of_the_run():
    assert run(embedded()).scores.equals(run(embedded()).scores)
    assert not run(embedded(seed=1)).scores.equals(run(embedded()).scores)


def test_it_trains_on_the_support_less_its_validation_part():
    given = embedded()
    first = run(given).scores
    swapped = given.support.table.copy()
    of_validation = swapped["split"] == "val"
    swapped.loc[of_validation, "glaucoma"] = 1 - swapped.loc[of_validation, "glaucoma"]
    other = Embedded(given.test, Sample(swapped, given.support.images, given.support.features), {}, scale=1.0)
    # Labels of the validation part only choose the epoch: the worst instead of the best.
    second = run(other, every=1).scores
    assert roc_auc_score(second["label"], second["p"]) < roc_auc_score(first["label"], first["p"])


def test_wrong_settings_are_errors_of_one_line():
    given = embedded()
    with pytest.raises(UserError, match="examples of the split 'validation' and others"):
        run(given, validation="validation")
    with pytest.raises(UserError, match="examples of the split 'val' and others"):
        run(Embedded(given.test, None, {}, scale=1.0))
    with pytest.raises(UserError, match="the model has no pre-logits"):
        run(given, feature="pre-logits")
    with pytest.raises(UserError, match="feature 'images' is unknown"):
        run(given, feature="images")
