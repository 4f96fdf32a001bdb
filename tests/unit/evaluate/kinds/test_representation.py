import numpy as np
import pandas as pd
import pytest

from clipfair.evaluate.kinds.representation import evaluate
from clipfair.evaluate.protocol import Embedded, Sample


def embedded(images, texts, scale):
    table = pd.DataFrame({"key": [str(n) for n in range(len(images))]})
    return Embedded(Sample(table, images, images[:, :0]), None, {"attributes": texts}, scale, bias=-5.0)


def random_units(seed, rows):
    values = np.random.default_rng(seed).normal(size=(rows, 8))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values.astype(np.float16).astype(np.float32)


def found(result):
    return {(measure.metric, measure.label): measure.value for measure in result.measures}


def test_two_attributes_against_a_loop():
    images, texts, scale = random_units(0, 31), random_units(1, 2), 7.0
    parities = []
    for image in images:
        logits = [scale * float(np.dot(image, text)) for text in texts]
        p = np.exp(logits) / np.exp(logits).sum()
        parities.append(p[0] - p[1])

    result = evaluate(
        embedded(images, texts, scale), {"attributes": ["man", "woman"]}, np.random.default_rng(0)
    )
    values = found(result)

    assert values["parity_mean", None] == pytest.approx(np.mean(parities), abs=1e-6)
    assert values["parity_median", None] == pytest.approx(np.median(parities), abs=1e-6)
    assert values["representation_bias", None] == pytest.approx(abs(np.mean(parities)) / 2, abs=1e-6)
    assert values["probability", "man"] + values["probability", "woman"] == pytest.approx(1)
    assert all(measure.low <= measure.value <= measure.high for measure in result.measures)
    assert all(measure.n == 31 for measure in result.measures)


def test_parity_of_known_logits():
    # One image, at right angles to the second text and 0.5 from the first: sigmoid of 2 * 0.5.
    images = np.array([[0.5, 0, np.sqrt(0.75)]], dtype=np.float32)
    texts = np.eye(3, dtype=np.float32)[:2]

    values = found(
        evaluate(embedded(images, texts, 2.0), {"attributes": ["a", "b"]}, np.random.default_rng(0))
    )
    assert values["probability", "a"] == pytest.approx(1 / (1 + np.exp(-1)))
    assert values["parity_mean", None] == values["parity_median", None]


def test_any_attributes_and_any_target():
    images, texts = random_units(0, 50), random_units(1, 3)
    settings = {"attributes": ["young", "middle", "old"], "target": [0.5, 0.3, 0.2]}

    result = evaluate(embedded(images, texts, 3.0), settings, np.random.default_rng(0))
    values = found(result)
    shares = result.scores[["young", "middle", "old"]].mean()

    assert values["representation_bias", None] == pytest.approx(max(abs(shares - [0.5, 0.3, 0.2])))
    assert [metric for metric, _ in values] == ["representation_bias", *["probability"] * 3]


def test_equal_texts_have_no_bias():
    texts = np.repeat(random_units(1, 1), 2, axis=0)

    values = found(
        evaluate(
            embedded(random_units(0, 20), texts, 100.0), {"attributes": ["a", "b"]}, np.random.default_rng(0)
        )
    )
    assert values["parity_mean", None] == values["representation_bias", None] == 0
