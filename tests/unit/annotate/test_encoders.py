"""Encoders: the linear one against its formulas, open_clip ones from files, and what is refused."""

import json
import pickle
from collections import Counter

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.signal import correlate
from sklearn.metrics import roc_auc_score

from clipfair.annotate.encoders import (
    LinearEncoder,
    encoder_of,
    fit_encoder,
    load_linear,
    load_open_clip,
    make_encoder,
)
from clipfair.annotate.image import prompts_for, zero_shot
from clipfair.console import UserError

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
    return load_linear(tmp_path / "encoder.npz", batch_size=16)


def features_by_scipy(encoder, image):
    """Two correlations with zero padding, rectified; the second's means in fields."""
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


def test_new_pictures_fit_their_own_captions(linear):
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


def test_files_that_are_no_linear_encoder(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_linear(tmp_path / "none.npz")
    path = tmp_path / "bad.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="not a linear encoder"):
        load_linear(path)
    np.savez(path, words=np.array(["a"]))
    with pytest.raises(UserError, match="not a linear encoder"):
        load_linear(path)


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        ("linaer", {}, "unknown kind of encoder 'linaer'; known: open_clip, linear"),
        ("linear", {}, "encoder linear: no file; expected file and, where wanted, batch_size"),
        ("linear", {"file": "x", "bach_size": 1}, "unknown setting 'bach_size'"),
        ("open_clip", {"model": "ViT-B-16"}, "no checkpoint"),
        ("linear", {"file": "x", "batch_size": 0}, "batch_size is 0"),
    ],
)
def test_settings_that_are_wrong(kind, settings, told):
    with pytest.raises(UserError, match=told):
        make_encoder(kind, settings)


def test_linear_encoder_from_its_settings(linear, tmp_path):
    found = make_encoder("linear", {"file": tmp_path / "encoder.npz", "batch_size": 5})
    assert isinstance(found, LinearEncoder)
    assert found.batch_size == 5


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The name of a small model that open_clip knows from here on."""
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 32, "layers": 1, "head_width": 16},
        "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    path = tmp_path_factory.mktemp("models") / "tiny-for-tests.json"
    path.write_text(json.dumps(config))
    open_clip.add_model_config(path)
    return path.stem


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_open_clip_weights_come_from_the_file(tiny, tmp_path, suffix):
    untrained = load_open_clip(tiny, None)
    model = open_clip.create_model(tiny)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": model.state_dict()}, path)
    else:
        save_file({name: weights.contiguous() for name, weights in model.state_dict().items()}, path)
    settings = {"model": tiny, "checkpoint": path, "batch_size": 2, "device": "cpu"}
    loaded = make_encoder("open_clip", settings)
    assert not loaded.model.training
    assert set(loaded.model.state_dict()) == set(model.state_dict())
    for name, weights in model.state_dict().items():
        torch.testing.assert_close(loaded.model.state_dict()[name], weights)
    images = [Image.new("RGB", (40, 40), colour) for colour in COLOURS]
    embeddings = loaded.encode_images(images)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    assert not np.allclose(untrained.encode_images(images), embeddings)


def test_an_annotations_line_names_its_encoder(tiny, tmp_path, monkeypatch):
    model = open_clip.create_model(tiny)
    path = tmp_path / "weights.safetensors"
    save_file({name: weights.contiguous() for name, weights in model.state_dict().items()}, path)
    line = {"kind": "open_clip", "model": tiny, "weights": "any", "batch_size": 3, "device": "auto"}
    found = encoder_of(line, path)
    assert found.batch_size == 3
    assert found.device == ("cuda" if torch.cuda.is_available() else "cpu")
    torch.testing.assert_close(found.model.logit_scale.cpu(), model.logit_scale)
    asked = []
    monkeypatch.setattr("clipfair.annotate.encoders.make_encoder", lambda *given: asked.append(given))
    encoder_of({"kind": "open_clip", "model": "ViT-B-16", "tag": "openai", "device": "cuda"}, path)
    assert asked == [
        ("open_clip", {"checkpoint": path, "model": "ViT-B-16", "tag": "openai", "device": "cuda"})
    ]


def test_a_linear_encoder_is_that_of_its_file(linear, tmp_path):
    found = encoder_of({"kind": "linear", "fit_shards": 2, "batch_size": 7}, tmp_path / "encoder.npz")
    assert isinstance(found, LinearEncoder)
    assert found.batch_size == 7


def test_untrained_models_are_the_same_every_time(tiny):
    before = torch.get_rng_state()
    texts = [load_open_clip(tiny, None).encode_texts(["a nurse"]) for _ in range(2)]
    np.testing.assert_array_equal(*texts)
    torch.testing.assert_close(torch.get_rng_state(), before)


def test_a_tag_tells_how_pictures_are_prepared():
    prepared = load_open_clip("RN50", None, tag="openai")
    assert any(module.__class__.__name__ == "QuickGELU" for module in prepared.model.modules())


class Harmful:
    """Unpickled, it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_checkpoints_that_are_refused(tiny, tmp_path):
    with pytest.raises(UserError, match="no such checkpoint"):
        load_open_clip(tiny, tmp_path / "none.pt")
    with pytest.raises(UserError, match=r"expected a checkpoint that ends in \.safetensors"):
        load_open_clip(tiny, tmp_path / "weights.npz")
    for name in ("bad.safetensors", "bad.pt"):
        (tmp_path / name).write_bytes(b"no weights")
        with pytest.raises(UserError, match=rf"{name}: not a checkpoint of {tiny}"):
            load_open_clip(tiny, tmp_path / name)
    save_file({"logit_scale": torch.ones(())}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=rf"other\.safetensors: not a checkpoint of {tiny}") as error:
        load_open_clip(tiny, tmp_path / "other.safetensors")
    assert "\n" not in str(error.value)


def test_no_code_is_unpickled(tiny, tmp_path):
    harmful = pickle.dumps(Harmful(tmp_path / "harm"))
    (tmp_path / "harmful.pt").write_bytes(harmful)
    torch.save({"state_dict": Harmful(tmp_path / "harm")}, tmp_path / "harmful.bin")
    for name in ("harmful.pt", "harmful.bin"):
        with pytest.raises(UserError, match="not a checkpoint"):
            load_open_clip(tiny, tmp_path / name)
    assert not (tmp_path / "harm").exists()


def test_models_that_are_refused(tiny):
    with pytest.raises(UserError, match="open_clip knows no model 'ViT-B-61'"):
        load_open_clip("ViT-B-61", None)
    with pytest.raises(UserError, match="open_clip knows no model 'hf-hub:someone/model'"):
        load_open_clip("hf-hub:someone/model", None)
    with pytest.raises(UserError, match="nothing is downloaded"):
        load_open_clip("ViT-B-16-SigLIP", None)
    with pytest.raises(UserError, match=r"knows no weights 'opanai'; known: openai, "):
        load_open_clip("ViT-B-32", None, tag="opanai")
