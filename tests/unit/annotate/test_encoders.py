"""Encoders: the linear one against its formulas, CLIP models from files, and invalid files."""

from collections import Counter

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.signal import correlate
from sklearn.metrics import roc_auc_score

from clipfair.annotate.encoders import clip, load_encoder
from clipfair.annotate.encoders import linear as linear_module
from clipfair.annotate.encoders.linear import LinearEncoder, fit_encoder
from clipfair.annotate.image import prompts_for, zero_shot
from clipfair.core.errors import UserError
from clipfair.models.build import build

COLOURS = ("red", "green", "blue")
SMALL = {"side": 8, "grid": 2, "channels": (4, 6), "penalty": 5.0, "min_captions": 3}


def noisy(colour, rng):
    pixels = np.asarray(Image.new("RGB", (8, 8), colour)) * 0.6 + rng.uniform(0, 100, size=(8, 8, 3))
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def pairs():
    rng = np.random.default_rng(3)
    shapes = ("ball", "box")
    return [
        (f"{i:03d}", noisy(colour, rng), f"a {colour} {shapes[i % 2]}")
        for i, colour in enumerate(rng.choice(COLOURS, size=90))
    ]


@pytest.fixture
def shards(pairs, write_shard):
    return [write_shard("0", pairs[:60]), write_shard("1", pairs[60:])]


@pytest.fixture
def linear(shards, tmp_path):
    fit_encoder(shards, tmp_path / "encoder.npz", **SMALL)
    return linear_module.load_encoder({"batch_size": 16}, tmp_path / "encoder.npz")


def features_by_scipy(encoder, image):
    """Two rectified correlations with zero padding, then means over fields."""
    seen = np.moveaxis(np.asarray(image) / 127.5 - 1, -1, 0)
    layers = ((encoder.kernels_1, encoder.biases_1, 2), (encoder.kernels_2, encoder.biases_2, 1))
    for kernels, biases, stride in layers:
        pad = kernels.shape[-1] // 2
        padded = np.pad(seen, ((0, 0), (pad, pad), (pad, pad)))
        seen = np.stack(
            [correlate(padded, kernel, mode="valid")[0, ::stride, ::stride] for kernel in kernels]
        )
        seen = np.maximum(seen + biases[:, None, None], 0)
    side = seen.shape[1] // encoder.grid
    fields = seen.reshape(len(seen), encoder.grid, side, encoder.grid, side)
    return fields.mean(axis=(2, 4)).ravel()


def tf_idf(captions):
    """Words of three captions or more, and unit vectors of counts times ln((1 + n) / (1 + df)) + 1."""
    frequencies = Counter(word for caption in captions for word in set(caption.split()))
    known = sorted(word for word, count in frequencies.items() if count >= SMALL["min_captions"])
    idf = {word: np.log((1 + len(captions)) / (1 + frequencies[word])) + 1 for word in known}
    rows = np.array([[caption.split().count(word) * idf[word] for word in known] for caption in captions])
    return known, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_linear_encoder_is_ridge_regression_on_the_captions(linear, pairs):
    images, captions = [image for _, image, _ in pairs], [caption for _, _, caption in pairs]
    raw = np.array([features_by_scipy(linear, image) for image in images])
    features = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    known, vectors = tf_idf(captions)
    assert linear.words.tolist() == known == ["a", "ball", "blue", "box", "green", "red"]
    centred = vectors - vectors.mean(axis=0)
    penalty = SMALL["penalty"] * np.eye(features.shape[1])
    guessed = features @ np.linalg.solve(features.T @ features + penalty, features.T @ centred)
    of_images, of_texts = linear.encode_images(images), linear.encode_texts(captions)
    assert of_images.dtype == of_texts.dtype == np.float32
    f = features.shape[1]
    assert of_images.shape == of_texts.shape == (90, f + len(known))
    np.testing.assert_allclose(of_images[:, :f], features, atol=1e-3)
    assert not of_texts[:, :f].any()
    cosines = (guessed * centred).sum(axis=1)
    cosines /= np.linalg.norm(guessed, axis=1) * np.linalg.norm(centred, axis=1)
    np.testing.assert_allclose((of_images * of_texts).sum(axis=1), cosines, atol=1e-3)


def test_new_images_are_most_similar_to_their_captions(linear):
    rng = np.random.default_rng(7)
    of_images = linear.encode_images([noisy(colour, rng) for colour in COLOURS for _ in range(10)])
    similarity = of_images @ linear.encode_texts([f"a {colour} ball" for colour in COLOURS]).T
    own = np.repeat(np.eye(3, dtype=bool), 10, axis=0)
    assert roc_auc_score(own.ravel(), similarity.ravel()) > 0.95
    annotator = zero_shot(linear, prompts_for("object", COLOURS, ["a {} ball"]), background=["a ball"])
    assert (annotator.scores(of_images).argmax(axis=1) == own.argmax(axis=1)).all()


def test_linear_embeddings_do_not_depend_on_the_batch_or_the_size(linear, pairs, tmp_path):
    images = [image for _, image, _ in pairs]
    alone = np.concatenate([linear.encode_images([image]) for image in images])
    np.testing.assert_allclose(linear.encode_images(images), alone, atol=1e-4)
    larger = [image.resize((16, 16), Image.Resampling.BOX) for image in images]
    assert linear.encode_images(larger).shape == alone.shape


def test_texts_without_a_known_word_have_an_embedding(linear):
    np.testing.assert_allclose(np.linalg.norm(linear.encode_texts(["", "unheard"]), axis=1), 1, rtol=1e-5)


def test_same_seed_same_bytes(shards, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        fit_encoder(shards, tmp_path / name, seed=seed, **SMALL)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_encoder_needs_words(shards, tmp_path):
    with pytest.raises(UserError, match="no word is in 91 of the 90 captions"):
        fit_encoder(shards, tmp_path / "encoder.npz", **SMALL | {"min_captions": 91})
    assert not (tmp_path / "encoder.npz").exists()


def test_encoder_counts_bad_examples(pairs, write_shard, tmp_path):
    shard = write_shard("bad", [*pairs, ("x", pairs[0][1], " ")])
    with pytest.raises(UserError, match=r"bad\.tar: 1 of 91 examples are bad"):
        fit_encoder([shard], tmp_path / "encoder.npz", **SMALL)
    fit_encoder([shard], tmp_path / "encoder.npz", **SMALL, max_bad_share=0.02)


def test_invalid_files_of_a_linear_encoder(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        linear_module.load_encoder({}, tmp_path / "none.npz")
    path = tmp_path / "bad.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="not a linear encoder"):
        linear_module.load_encoder({}, path)
    np.savez(path, words=np.array(["a"]))
    with pytest.raises(UserError, match="not a linear encoder"):
        linear_module.load_encoder({}, path)


# A small model as in the catalogue.
LINE = {"kind": "small", "size": 32, "width": 4, "dim": 8, "length": 12, "words": "embedded"}


def save(model, path):
    save_file({name: weights.contiguous() for name, weights in model.state_dict().items()}, path)
    return path


def test_a_model_of_the_catalogue_with_the_weights_of_a_file(tmp_path):
    model = build(LINE, None, seed=5).model.eval()
    path = save(model, tmp_path / "weights.safetensors")
    line = {"kind": "clip", "model": LINE, "batch_size": 2, "device": "cpu"}
    encoder = load_encoder(line, path)
    assert not encoder.model.training
    assert encoder.batch_size == 2
    images = [Image.new("RGB", (40, 40), colour) for colour in COLOURS]
    preprocess = build(LINE, None, seed=0).preprocess
    with torch.inference_mode():
        expected = model.encode_image(torch.stack([preprocess(image) for image in images]))
    expected = torch.nn.functional.normalize(expected, dim=1)
    np.testing.assert_allclose(encoder.encode_images(images), expected, atol=1e-5)
    texts = encoder.encode_texts(["a photo of a nurse.", "a man"])
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, rtol=1e-5)
    assert zero_shot(encoder, prompts_for("gender", ["man", "woman"]), background=["a photo."]).annotate(
        expected.numpy()
    ).shape == (
        3,
        2,
    )


def test_open_clips_models_are_in_the_catalogue(monkeypatch):
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 32, "layers": 1, "head_width": 16},
        "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    monkeypatch.setattr(open_clip, "get_model_config", lambda name: {"tiny": config}[name])
    encoder = clip.load_encoder({"model": {"kind": "open_clip", "architecture": "tiny"}}, None)
    embeddings = encoder.encode_images([Image.new("RGB", (40, 30), colour) for colour in COLOURS])
    assert embeddings.shape == (3, 16)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    assert encoder.encode_texts(["a nurse"]).shape == (1, 16)


def test_automatic_device():
    encoder = clip.load_encoder({"model": LINE, "device": "auto"}, None)
    assert encoder.device == ("cuda" if torch.cuda.is_available() else "cpu")


def test_untrained_models_are_deterministic():
    before = torch.get_rng_state()
    texts = [clip.load_encoder({"model": LINE}, None).encode_texts(["a nurse"]) for _ in range(2)]
    np.testing.assert_array_equal(*texts)
    torch.testing.assert_close(torch.get_rng_state(), before)


def test_weights_that_are_refused(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    save_file({"logit_scale": torch.ones(())}, tmp_path / "other.safetensors")
    for name in ("none", "bad", "other"):
        with pytest.raises(UserError, match=rf"{name}\.safetensors: not the weights of this model") as error:
            clip.load_encoder({"model": LINE}, tmp_path / f"{name}.safetensors")
        assert "\n" not in str(error.value)


def test_a_linear_encoder_is_loaded_from_its_file(linear, tmp_path):
    found = load_encoder({"kind": "linear", "fit_shards": 2, "batch_size": 7}, tmp_path / "encoder.npz")
    assert isinstance(found, LinearEncoder)
    assert found.batch_size == 7
