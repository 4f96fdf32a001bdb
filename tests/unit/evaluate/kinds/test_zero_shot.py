import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from clipfair.evaluate.kinds import zero_shot
from clipfair.evaluate.protocol import Embedded, Sample


def random_units(rng, rows):
    values = rng.normal(size=(rows, 8))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values.astype(np.float16).astype(np.float32)


def make(labels, names="abcde", seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"key": [str(n) for n in range(len(labels))]})
    table["label"] = pd.Categorical(labels, categories=list(names))
    images = random_units(rng, len(labels))
    texts = {"classes": random_units(rng, len(names))}
    return Embedded(Sample(table, images, images[:, :0]), None, texts, 100.0)


def evaluate(embedded):
    return zero_shot.evaluate(embedded, {}, np.random.default_rng(0))


def test_accuracy_is_that_of_the_nearest_class(monkeypatch):
    monkeypatch.setattr(zero_shot, "ROWS_AT_ONCE", 7)
    embedded = make(list("abcde" * 10))
    expected = [
        max(range(5), key=lambda k: np.dot(image, embedded.texts["classes"][k]))
        for image in embedded.test.images
    ]

    result = evaluate(embedded)
    [measure] = result.measures

    assert result.scores["predicted"].tolist() == expected
    assert measure.value == pytest.approx(accuracy_score(embedded.test.table["label"].cat.codes, expected))
    assert measure.low < measure.value < measure.high
    assert (measure.metric, measure.n) == ("accuracy", 50)


def test_one_class_and_one_image():
    [measure] = evaluate(make(["a"], names="a")).measures

    assert (measure.value, measure.low, measure.high, measure.n) == (1, 1, 1, 1)


def test_of_equally_near_classes_the_first_counts():
    embedded = make(list("aabb"), names="ab")
    embedded.texts["classes"][1] = embedded.texts["classes"][0]

    assert evaluate(embedded).scores["predicted"].tolist() == [0, 0, 0, 0]
