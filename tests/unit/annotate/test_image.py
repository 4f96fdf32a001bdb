"""Image annotators: zero-shot and probes on embeddings with a known answer, thresholds by brute force."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from clipfair.annotate.image import (
    ImageAnnotator,
    calibrate,
    fit_probe,
    load_annotator,
    prompts_for,
    save_annotator,
    zero_shot,
)
from clipfair.core.errors import UserError

COLOURS = ("red", "green", "blue")


def picture(colour):
    return Image.new("RGB", (8, 8), colour)


@pytest.fixture
def labelled():
    """(n, d) embeddings of unit length and two linearly explained, overlapping labels."""
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(300, 6))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    noise = rng.normal(scale=0.1, size=(300, 2))
    truth = pd.DataFrame(embeddings[:, :2] + noise > [0.0, 0.3], columns=["gender=man", "occupation=nurse"])
    return embeddings, truth


def test_embeddings_do_not_depend_on_the_batch(encoder):
    images = [picture(COLOURS[i % 3]) for i in range(10)]
    expected = np.eye(3)[[i % 3 for i in range(10)]]
    np.testing.assert_allclose(encoder.encode_images(images), expected)
    assert encoder.encode_texts(["red", "green and blue"]).dtype == np.float32
    np.testing.assert_allclose(encoder.encode_texts(["green and blue"]), [[0, 0.5**0.5, 0.5**0.5]])


def test_zero_shot_names_the_colour(encoder):
    annotator = zero_shot(encoder, prompts_for("object", COLOURS), background=["a photo."])
    assert annotator.columns == ("object=red", "object=green", "object=blue")
    found = annotator.annotate(encoder.encode_images([picture(colour) for colour in COLOURS]))
    np.testing.assert_array_equal(found.to_numpy(), np.eye(3, dtype=bool))


def test_zero_shot_score_is_similarity_over_background(encoder):
    annotator = zero_shot(encoder, {"object=red": ["red", "red and green"]}, background=["nothing"])
    mean = np.array([1, 0, 0]) + np.array([1, 1, 0]) / 2**0.5
    direction = mean / np.linalg.norm(mean)
    image = encoder.encode_images([picture("green")])
    np.testing.assert_allclose(annotator.scores(image), [[direction[1] - 3**-0.5]], rtol=1e-6)


def test_probe_is_logistic_regression_on_standardised_features(labelled):
    embeddings, truth = labelled
    probe = fit_probe(embeddings, truth, inverse_regularisation=0.5)
    for place, column in enumerate(truth):
        pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=2000))
        pipeline.fit(embeddings, truth[column])
        np.testing.assert_allclose(
            probe.scores(embeddings)[:, place], pipeline.decision_function(embeddings), rtol=1e-6, atol=1e-9
        )
    assert (probe.annotate(embeddings) == truth).to_numpy().mean() > 0.9


@settings(max_examples=50, deadline=None)
@given(data=st.data(), n=st.integers(3, 25))
def test_calibration_has_the_largest_f1_by_brute_force(data, n):
    truth = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    scores = np.array(data.draw(st.lists(st.integers(-4, 4), min_size=n, max_size=n)), dtype=float)
    if truth.all() or not truth.any():
        truth[0] = not truth[0]
    options = [scores >= threshold for threshold in np.unique(scores)]
    annotator = ImageAnnotator(("a=b",), np.ones((1, 1)), np.zeros(1), np.zeros(1))
    frame = pd.DataFrame({"a=b": truth})
    found = calibrate(annotator, scores[:, None], frame).annotate(scores[:, None])["a=b"]
    assert f1_score(truth, found) == pytest.approx(max(f1_score(truth, option) for option in options))


@given(n=st.integers(2, 40), data=st.data())
@settings(max_examples=50, deadline=None)
def test_as_many_are_annotated_as_are_true(n, data):
    true = data.draw(st.integers(1, n - 1))
    rng = np.random.default_rng(n)
    embeddings, truth = rng.normal(size=(n, 1)), pd.DataFrame({"object=dog": rng.permutation(n) < true})
    one = ImageAnnotator(("object=dog",), np.ones((1, 1)), np.zeros(1), np.zeros(1))
    found = calibrate(one, embeddings, truth, match_share=True).annotate(embeddings)["object=dog"]
    assert found.sum() == true
    assert embeddings[found].min() > embeddings[~found].max()


def test_calibrated_thresholds_are_between_scores(labelled):
    embeddings, truth = labelled
    probe = calibrate(fit_probe(embeddings[:200], truth[:200]), embeddings[200:], truth[200:])
    scores = probe.scores(embeddings[200:])
    assert not np.isclose(scores, probe.thresholds, rtol=0, atol=1e-9).any()


def test_values_that_never_vary_are_named(labelled):
    embeddings, truth = labelled
    truth = truth.assign(**{"occupation=judge": False})
    with pytest.raises(UserError, match=r"training set: every one of its 300 .* occupation=judge"):
        fit_probe(embeddings, truth)
    probe = fit_probe(embeddings, truth.drop(columns="occupation=judge"))
    with pytest.raises(UserError, match=r"calibration set: .* the same in gender=man"):
        calibrate(probe, embeddings, truth.assign(**{"gender=man": True}))
    with pytest.raises(UserError, match="calibration set: no column gender=man"):
        calibrate(probe, embeddings, truth.drop(columns="gender=man"))


def test_an_annotator_is_unchanged_by_its_file(labelled, tmp_path):
    embeddings, truth = labelled
    probe = fit_probe(embeddings, truth)
    path = tmp_path / "probe.npz"
    save_annotator(path, probe)
    loaded = load_annotator(path)
    assert loaded.columns == probe.columns
    pd.testing.assert_frame_equal(loaded.annotate(embeddings), probe.annotate(embeddings))
    assert list(tmp_path.iterdir()) == [path]


def test_bad_annotator_files(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_annotator(tmp_path / "none.npz")
    path = tmp_path / "bad.npz"
    for content in (b"", b"not an archive"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not an image annotator"):
            load_annotator(path)
    np.savez(path, columns=np.array(["a"]))
    with pytest.raises(UserError, match="not an image annotator"):
        load_annotator(path)
