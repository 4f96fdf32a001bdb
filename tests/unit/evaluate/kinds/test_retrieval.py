import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipfair.evaluate.kinds import retrieval
from clipfair.evaluate.kinds.retrieval import Ranks, rank
from clipfair.evaluate.protocol import Embedded, Sample


def random_units(rng, rows, levels=None):
    """With few levels many scores are equal."""
    values = rng.normal(size=(rows, 4)) if levels is None else rng.integers(1, levels, size=(rows, 4))
    values = values / np.linalg.norm(values, axis=1, keepdims=True)
    return values.astype(np.float16).astype(np.float32)


def make(captions, *, seed=0, levels=None):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"key": [f"i{n}" for n in range(len(captions))]})
    table["captions"] = [["text"] * n for n in captions]
    images = random_units(rng, len(captions), levels)
    texts = {"captions": random_units(rng, sum(captions), levels)}
    return Embedded(Sample(table, images, images[:, :0]), None, texts, 1.0)


def recall_by_loops(embedded, captions, k):
    """Both directions, pair by pair, no ties."""
    image_of = np.repeat(np.arange(len(captions)), captions)
    scores = embedded.test.images.astype(float) @ embedded.texts["captions"].astype(float).T
    to_text = [image in image_of[np.argsort(-scores[image])[:k]] for image in range(len(captions))]
    to_image = [image in np.argsort(-scores[:, text])[:k] for text, image in enumerate(image_of)]
    return np.mean(to_text), np.mean(to_image)


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_recall_against_sorting(at_once, monkeypatch):
    monkeypatch.setattr(retrieval, "IMAGES_AT_ONCE", at_once)
    captions = [5, 1, 4, 5, 5, 2, 5, 6, 5, 5, 3, 5, 5]
    embedded = make(captions)

    result = retrieval.evaluate(embedded, {}, np.random.default_rng(0))
    found = {measure.metric: measure for measure in result.measures}
    for k in (1, 5, 10):
        to_text, to_image = recall_by_loops(embedded, captions, k)
        assert found[f"image_to_text_recall_{k}"].value == pytest.approx(to_text)
        assert found[f"text_to_image_recall_{k}"].value == pytest.approx(to_image)
        assert found[f"image_to_text_recall_{k}"].n == 13
        assert found[f"text_to_image_recall_{k}"].n == 56
    assert all(measure.low <= measure.value <= measure.high for measure in result.measures)


@settings(max_examples=60, deadline=None)
@given(nearer=st.integers(0, 4), tied=st.integers(1, 6), searched=st.integers(1, 6), k=st.integers(1, 8))
def test_ties_count_as_the_share_of_their_orders(nearer, tied, searched, k):
    searched = min(searched, tied)
    orders = list(itertools.combinations(range(nearer, nearer + tied), searched))
    expected = np.mean([any(place < k for place in places) for places in orders])

    found = Ranks(np.array([nearer]), np.array([tied]), np.array([searched])).recall(k)
    assert found[0] == pytest.approx(expected)


def test_ranks_with_ties_against_a_loop():
    captions = [2, 1, 3, 2, 2]
    embedded = make(captions, levels=3)
    image_of = np.repeat(np.arange(5), captions)
    scores = (embedded.test.images.astype(float) @ embedded.texts["captions"].astype(float).T).astype(
        np.float32
    )
    to_text, to_image = rank(embedded.test.images, embedded.texts["captions"], image_of)

    assert (to_image.tied > 1).any()
    for text, image in enumerate(image_of):
        assert to_image.nearer[text] == (scores[:, text] > scores[image, text]).sum()
        assert to_image.tied[text] == (scores[:, text] == scores[image, text]).sum()
    for image in range(5):
        best = scores[image, image_of == image].max()
        assert to_text.nearer[image] == (scores[image] > best).sum()
        assert to_text.tied[image] == (scores[image] == best).sum()
        assert to_text.correct[image] == (scores[image, image_of == image] == best).sum()


def test_equal_scores_recall_k_of_n():
    embedded = make([1] * 20)
    embedded.test.images[:] = embedded.test.images[0]
    embedded.texts["captions"][:] = embedded.texts["captions"][0]
    found = {
        measure.metric: measure.value
        for measure in retrieval.evaluate(embedded, {}, np.random.default_rng(0)).measures
    }

    for k in (1, 5, 10):
        assert found[f"text_to_image_recall_{k}"] == pytest.approx(k / 20)
        assert found[f"image_to_text_recall_{k}"] == pytest.approx(k / 20)


def test_one_image_is_always_found():
    result = retrieval.evaluate(make([2]), {}, np.random.default_rng(0))

    assert {measure.value for measure in result.measures} == {1.0}


def test_recall_follows_from_the_scores():
    result = retrieval.evaluate(make([2, 3, 1] * 5, levels=4), {}, np.random.default_rng(0))
    found = {measure.metric: measure.value for measure in result.measures}

    for query, metric in (("image", "image_to_text"), ("text", "text_to_image")):
        part = result.scores[result.scores["query"] == query]
        ranks = Ranks(*(part[name].to_numpy() for name in ("nearer", "tied", "searched")))
        assert ranks.recall(5).mean() == pytest.approx(found[f"{metric}_recall_5"])
