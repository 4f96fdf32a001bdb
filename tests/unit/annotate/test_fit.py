"""Annotators from labelled images: the parts for fitting and calibration, and values left out."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clipfair.annotate.fit import FitSettings, fit_annotator
from clipfair.annotate.image import calibrate, fit_probe, load_annotator, prompts_for, zero_shot
from clipfair.core.errors import UserError
from clipfair.core.keys import hash_keys

COLOURS = ("red", "green", "blue")
KEYS = [f"{i:03d}" for i in range(120)]


@pytest.fixture(scope="module")
def images():
    """Images of one colour each, in which one of the three channels dominates."""
    amounts = np.random.default_rng(0).integers(0, 120, size=(len(KEYS), 3))
    amounts[np.arange(len(KEYS)), np.arange(len(KEYS)) % 3] += 100
    return [Image.new("RGB", (4, 4), tuple(map(int, colour))) for colour in amounts]


@pytest.fixture
def shards(images, write_shard):
    pairs = [(key, image, "a caption") for key, image in zip(KEYS, images, strict=True)]
    return [write_shard("0", pairs[:70]), write_shard("1", pairs[70:])]


@pytest.fixture
def labels():
    most = np.arange(len(KEYS)) % 3
    truth = {f"object={colour}": most == place for place, colour in enumerate(COLOURS)}
    return pd.DataFrame({"key": KEYS, **truth})


@pytest.fixture
def fit(encoder, shards, labels, tmp_path):
    """Returns a function that fits to the shards and reads the outputs."""

    def fit_and_read(*, kind="probe", shards=shards, labels=labels, max_bad_share=0.0, **options):
        settings = FitSettings(kind, **options)
        fit_annotator(
            encoder, shards, labels, tmp_path / "out/fit.npz", settings, max_bad_share=max_bad_share
        )
        report = json.loads((tmp_path / "out/fit.report.json").read_text())
        return load_annotator(tmp_path / "out/fit.npz"), report

    return fit_and_read


def assert_same(one, other):
    assert one.columns == other.columns
    for name in ("weights", "biases", "thresholds"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-4, atol=1e-5)


def test_probe_is_fitted_to_some_and_calibrated_on_the_others(fit, encoder, images, labels):
    found, report = fit(calibration_share=0.4, inverse_regularisation=2.0, seed=5)
    calibrates = hash_keys(np.array(KEYS, dtype=object), seed=5).astype(float) / 2.0**64 < 0.4
    assert 0.25 < calibrates.mean() < 0.55
    embeddings, truth = encoder.encode_images(images), labels.drop(columns="key")
    probe = fit_probe(embeddings[~calibrates], truth[~calibrates], inverse_regularisation=2.0)
    assert_same(found, calibrate(probe, embeddings[calibrates], truth[calibrates]))
    assert (report["fitted"], report["calibrated"]) == ((~calibrates).sum(), calibrates.sum())
    assert (found.annotate(embeddings) == truth).to_numpy().mean() > 0.85


def test_zero_shot_is_calibrated_on_all(fit, encoder, images, labels):
    found, report = fit(kind="zero_shot")
    embeddings, truth = encoder.encode_images(images), labels.drop(columns="key")
    assert_same(
        found,
        calibrate(
            zero_shot(encoder, prompts_for("object", COLOURS), background=["a caption"]), embeddings, truth
        ),
    )
    assert (report["kind"], report["fitted"], report["calibrated"]) == ("zero_shot", 0, 120)


def test_sharding_changes_nothing(fit, shards, write_shard, images):
    pairs = [(key, image, "a caption") for key, image in zip(KEYS, images, strict=True)]
    assert_same(fit()[0], fit(shards=[write_shard("all", pairs[::-1])])[0])


def test_unlabelled_images_and_labels_without_image(fit, labels):
    few = labels[:80].assign(key=labels["key"][:80].where(np.arange(80) >= 10, "elsewhere " + labels["key"]))
    _, report = fit(labels=few)
    assert report["labels_without_picture"] == 10
    assert report["fitted"] + report["calibrated"] == 70


def test_rare_values_are_left_out_and_reported(fit, labels):
    labels["occupation=judge"] = False
    labels["gender=man"] = True
    labels["object=dog"] = labels["key"].isin(KEYS[:4])
    found, report = fit(labels=labels)
    assert found.columns == tuple(f"object={colour}" for colour in COLOURS)
    assert report["left_out"] == {"occupation=judge": 0, "gender=man": 120, "object=dog": 4}
    with pytest.raises(UserError, match="of 1 values none has 5 examples with it and without it"):
        fit(labels=labels[["key", "object=dog"]])


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"kind": "prob"}, "unknown kind of annotator 'prob'; known: probe, zero_shot"),
        ({"calibration_share": 1.0}, "calibration_share is 1.0"),
        ({"min_examples": 0}, "min_examples is 0"),
        ({"labels": pd.DataFrame({"key": ["x"], "a=b": [True]})}, "none of 1 keys is in the 2 shards"),
    ],
)
def test_bad_input_writes_nothing(fit, tmp_path, options, fragment):
    with pytest.raises(UserError, match=fragment):
        fit(**options)
    assert not (tmp_path / "out").exists()


def test_a_key_in_two_shards(fit, shards, write_shard, images):
    with pytest.raises(UserError, match="key '007' is in two shards"):
        fit(shards=[*shards, write_shard("2", [("007", images[0], "again")])])


def test_bad_examples_are_counted(fit, shards, write_shard, images):
    shards = [*shards, write_shard("2", [("x", images[0], "fine"), ("y", images[0], " ")])]
    with pytest.raises(UserError, match=r"2\.tar: 1 of 2 examples are bad"):
        fit(shards=shards)
    fit(shards=shards, max_bad_share=0.5)


def test_thresholds_may_match_the_share_of_the_labels(fit, encoder, images, labels):
    found, _ = fit(kind="zero_shot", match_share=True)
    annotated = found.annotate(encoder.encode_images(images))
    assert annotated.sum().tolist() == labels.drop(columns="key").sum().tolist()


def test_zero_shot_scores_are_relative_to_the_captions_of_the_data(fit, encoder, images, labels, write_shard):
    captions = ["a red ball", "a green one", "blue and red"]
    pairs = [(key, image, captions[int(key) % 3]) for key, image in zip(KEYS, images, strict=True)]
    found, _ = fit(kind="zero_shot", shards=[write_shard("captioned", pairs)])
    prompts = prompts_for("object", COLOURS)
    expected = zero_shot(encoder, prompts, background=[caption for _, _, caption in pairs])
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-5)
