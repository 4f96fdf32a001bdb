import io
import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from clipfair.core.errors import UserError
from clipfair.core.io import sha256_of
from clipfair.core.paths import Run
from clipfair.data.decoded import decode_rows, decoded_folder
from clipfair.evaluate.embed import run as run_module
from clipfair.evaluate.embed.files import read_checkpoints, read_images, read_texts
from clipfair.evaluate.embed.run import embed
from clipfair.evaluate.texts import text_sets
from clipfair.models.build import build
from clipfair.models.interface import pixels_of
from clipfair.models.tokenizers import WordListTokenizer

MODEL = {"kind": "small", "width": 8, "dim": 16, "words": "embedded", "length": 16, "size": 32}
EVALUATIONS = {
    "faces-association": {
        "kind": "association",
        "dataset": "faces",
        "split": "val",
        "attribute": "gender",
        "groups": {"man": "Male", "woman": "Female"},
        "occupations": ["nurse", "cook"],
        "neutral": "",
    },
    "objects-zero-shot": {
        "kind": "zero_shot",
        "dataset": "objects",
        "split": "test",
        "classes": "labels",
        "templates": ["a {}", "{}"],
    },
    "objects-few-shot": {
        "kind": "few_shot",
        "dataset": "objects",
        "split": "test",
        "support": {"split": "train"},
    },
}


def test_unknown_words_of_prompts_are_a_warning(capsys):
    settings = {"kind": "association", "dataset": "faces", "neutral": "zyzzyva"}
    run_module.TokenisedTexts({"one": settings}, {"faces": None}, WordListTokenizer("embedded", 6))
    warning = "warning: the word list 'embedded' has 0.0% of the 1 words of 1 texts"
    assert warning in capsys.readouterr().err


def png(seed):
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


@pytest.fixture
def data(tmp_path):
    """Two datasets: faces in files, objects in their table."""
    (tmp_path / "raw").mkdir()
    for n in range(6):
        (tmp_path / f"raw/{n}.png").write_bytes(png(n))
    faces = pd.DataFrame(
        {
            "key": [f"f{n}" for n in range(6)],
            "image": [f"{n}.png" for n in range(6)],
            "split": ["train", "val"] * 3,
            "gender": ["Male", "Female"] * 3,
        }
    )
    objects = pd.DataFrame(
        {
            "key": [f"o{n}" for n in range(5)],
            "image_bytes": [png(10 + n) for n in range(5)],
            "split": ["train", "train", "train", "test", "other"],
            "label": pd.Categorical(["cup", "key", "cup", "key", "key"]),
        }
    )
    places = {}
    for name, table in (("faces", faces), ("objects", objects)):
        table.to_parquet(tmp_path / f"{name}.parquet")
        places[name] = {"table": str(tmp_path / f"{name}.parquet"), "raw": str(tmp_path / "raw")}
    return places


def a_run(seed):
    return Run(dataset="web", balance="baseline", model="small", method="clip", seed=seed)


@pytest.fixture
def models(tmp_path):
    """Two seeds, each with a snapshot at 50 and one at the end, and the end at 100."""
    found = []
    for seed in (0, 1):
        folder = tmp_path / f"model-{seed}"
        for name, drawn in (("model", 10), ("snapshots/50", 20), ("snapshots/100", 10)):
            file = folder / f"{name}.safetensors"
            file.parent.mkdir(parents=True, exist_ok=True)
            save_file(build(MODEL, None, drawn + seed).model.state_dict(), file)
        (folder / "spec.json").write_text(json.dumps({"examples": 100}))
        found.append(
            {
                "run": vars(a_run(seed)),
                "settings": MODEL,
                "weights": str(folder / "model.safetensors"),
                "snapshots": str(folder / "snapshots"),
                "spec": str(folder / "spec.json"),
            }
        )
    return found


def expected_images(weights, encoded):
    built = build(MODEL, weights, 0)
    pixels = torch.stack([built.preprocess(Image.open(io.BytesIO(content))) for content in encoded])
    with torch.inference_mode():
        return built.model.eval().encode_image(pixels, normalize=True).numpy()


def test_images_are_those_that_the_models_give(data, models, tmp_path):
    embed(models, data, EVALUATIONS, str(tmp_path / "out"))

    for model in models:
        checkpoints = read_checkpoints(tmp_path / "out", Run(**model["run"]))
        files = [f"{model['snapshots']}/50.safetensors", model["weights"]]
        assert [checkpoint.examples for checkpoint in checkpoints] == [50, 100]
        assert [checkpoint.digest for checkpoint in checkpoints] == [sha256_of(file) for file in files]
        for checkpoint, file in zip(checkpoints, files, strict=True):
            digest = sha256_of(data["faces"]["table"])
            found = read_images(tmp_path / "out", checkpoint, "faces", data_digest=digest)
            assert found.keys.tolist() == ["f1", "f3", "f5"]
            assert found.images == pytest.approx(expected_images(file, [png(1), png(3), png(5)]), abs=1e-3)
            assert found.features.shape == (3, 32)


def test_only_requested_rows_and_texts_are_embedded(data, models, tmp_path):
    embed(models, data, EVALUATIONS, str(tmp_path / "out"))
    snapshot, end = read_checkpoints(tmp_path / "out", a_run(0))
    digest = sha256_of(data["objects"]["table"])

    found = read_images(tmp_path / "out", end, "objects", data_digest=digest)
    assert found.keys.tolist() == ["o0", "o1", "o2", "o3"]
    with pytest.raises(UserError, match="no such embeddings"):
        read_images(tmp_path / "out", snapshot, "objects", data_digest=digest)


def test_images_of_an_evaluation_that_resizes_them_are_cropped(data, models, tmp_path):
    few_shot = EVALUATIONS["objects-few-shot"] | {"resize": 40}
    embed(models, data, {**EVALUATIONS, "objects-few-shot": few_shot}, str(tmp_path / "out"))
    end = read_checkpoints(tmp_path / "out", a_run(0))[-1]
    digest = sha256_of(data["objects"]["table"])

    own = read_images(tmp_path / "out", end, "objects", data_digest=digest)
    cropped = read_images(tmp_path / "out", end, "objects", data_digest=digest, resize=40)
    assert own.keys.tolist() == ["o3"]
    assert cropped.keys.tolist() == ["o0", "o1", "o2", "o3"]
    contents = []
    for seed in (10, 11, 12, 13):
        larger = Image.open(io.BytesIO(png(seed))).resize((40, 40), Image.Resampling.BILINEAR)
        stream = io.BytesIO()
        larger.crop((4, 4, 36, 36)).save(stream, "png")
        contents.append(stream.getvalue())
    assert cropped.images == pytest.approx(expected_images(models[0]["weights"], contents), abs=1e-3)
    assert np.abs(cropped.images[3] - own.images[0]).max() > 0.01


def test_resizing_to_less_than_the_model_takes_is_an_error(data, models, tmp_path):
    few_shot = EVALUATIONS["objects-few-shot"] | {"resize": 16}

    with pytest.raises(UserError, match=r"resize: 16; expected at least the model's image size, 32 pixels"):
        embed(models, data, {"objects-few-shot": few_shot}, str(tmp_path / "out"))


def test_texts_are_those_of_the_evaluations(data, models, tmp_path):
    embed(models, data, EVALUATIONS, str(tmp_path / "out"))
    snapshot, end = read_checkpoints(tmp_path / "out", a_run(1))
    built = build(MODEL, models[1]["weights"], 0)
    settings = EVALUATIONS["objects-zero-shot"]
    classes = text_sets(settings, pd.read_parquet(data["objects"]["table"]))["classes"].digest

    with torch.inference_mode():
        prompts = built.tokenizer(["a cup", "cup", "a key", "key"])
        expected = built.model.eval().encode_text(prompts, normalize=True).reshape(2, 2, 16).mean(dim=1)
        expected = torch.nn.functional.normalize(expected, dim=-1)
    assert read_texts(tmp_path / "out", end, classes) == pytest.approx(expected.numpy(), abs=1e-3)
    with pytest.raises(UserError, match="the texts of this evaluation are not in it"):
        read_texts(tmp_path / "out", snapshot, classes)


def files_below(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_bytes_in_any_chunks_with_any_threads(data, models, tmp_path, monkeypatch):
    embed(models, data, EVALUATIONS, str(tmp_path / "once"))
    monkeypatch.setattr(run_module, "CHUNK_BYTES", 2 * 3 * 32 * 32)
    embed(models, data, EVALUATIONS, str(tmp_path / "again"), threads=2)

    assert files_below(tmp_path / "once") == files_below(tmp_path / "again")


def test_random_and_untrained_models_have_no_training_examples(data, models, tmp_path):
    untrained = [{**model, "weights": None, "snapshots": None, "spec": None} for model in models]
    embed(untrained, data, EVALUATIONS, str(tmp_path / "out"))

    found = [read_checkpoints(tmp_path / "out", a_run(seed))[0] for seed in (0, 1)]
    assert [(checkpoint.examples, checkpoint.final) for checkpoint in found] == [(0, True)] * 2
    assert found[0].digest != found[1].digest


def test_an_image_that_does_not_open_is_named(data, models, tmp_path):
    (tmp_path / "raw/3.png").write_bytes(b"no image")

    with pytest.raises(UserError, match=r"3\.png: not an image that opens"):
        embed(models, data, EVALUATIONS, str(tmp_path / "out"))


def test_weights_of_another_model_are_named(data, models, tmp_path):
    save_file({"a": torch.zeros(1)}, models[1]["weights"])

    with pytest.raises(UserError, match=r"model-1/model\.safetensors: not the weights of this model"):
        embed(models, data, EVALUATIONS, str(tmp_path / "out"))


def test_a_model_that_diverged_is_an_error(data, models, tmp_path):
    state = build(MODEL, None, 0).model.state_dict()
    state["visual.proj"] = torch.full_like(state["visual.proj"], torch.nan)
    save_file(state, models[0]["weights"])

    with pytest.raises(UserError, match="1 of 20 tensors are not finite"):
        embed(models, data, EVALUATIONS, str(tmp_path / "out"))


def decode_all(data, cache):
    """The datasets, with all their images decoded in a cache."""
    built = build(MODEL, None, 0)
    found = {}
    for name, places in data.items():
        table = pd.read_parquet(places["table"])
        decode_rows(
            decoded_folder(cache, f"{built.resizing}-{built.size}", places["table"]),
            table,
            np.arange(len(table)),
            raw=places["raw"],
            prepare=lambda image: pixels_of(built.resize(image)).numpy(),
            size=built.size,
            threads=1,
        )
        found[name] = {**places, "cache": str(cache)}
    return found


def test_images_that_a_training_has_decoded_are_not_opened_and_give_the_same_bytes(
    data, models, tmp_path, monkeypatch
):
    embed(models, data, EVALUATIONS, str(tmp_path / "opened"))
    decoded = decode_all(data, tmp_path / "cache")
    monkeypatch.setattr(run_module, "open_image", lambda *_, **__: pytest.fail("opened"))
    embed(models, decoded, EVALUATIONS, str(tmp_path / "decoded"))
    monkeypatch.setattr(run_module, "CHUNK_BYTES", 2 * 3 * 32 * 32)
    embed(models, decoded, EVALUATIONS, str(tmp_path / "chunks"))

    assert files_below(tmp_path / "opened") == files_below(tmp_path / "decoded")
    assert files_below(tmp_path / "opened") == files_below(tmp_path / "chunks")


def test_images_that_are_resized_otherwise_are_opened(data, models, tmp_path):
    few_shot = {"objects-few-shot": EVALUATIONS["objects-few-shot"] | {"resize": 40}}
    embed(models, data, few_shot, str(tmp_path / "opened"))
    embed(models, decode_all(data, tmp_path / "cache"), few_shot, str(tmp_path / "decoded"))

    assert files_below(tmp_path / "opened") == files_below(tmp_path / "decoded")


def test_runs_of_different_draws_are_embedded_as_if_each_were_alone(data, models, tmp_path):
    """Every seed has a table and images of its own, under the same id of the dataset."""
    other = pd.read_parquet(data["faces"]["table"]).assign(image=[f"{n}.png" for n in (3, 4, 5, 0, 1, 2)])
    other.to_parquet(tmp_path / "other.parquet")
    draws = [data, {**data, "faces": {**data["faces"], "table": str(tmp_path / "other.parquet")}}]
    for model, draw in zip(models, draws, strict=True):
        embed([model], draw, EVALUATIONS, str(tmp_path / "together"))
        embed([model], draw, EVALUATIONS, str(tmp_path / f"alone-{model['run']['seed']}"))

    together = files_below(tmp_path / "together")
    alone = [files_below(tmp_path / f"alone-{seed}") for seed in (0, 1)]
    assert together == {**alone[0], **alone[1]}
    assert {file.split("/")[0] for file in together} == {"seed~0", "seed~1"}
    embed(models, data, EVALUATIONS, str(tmp_path / "same"))
    same = files_below(tmp_path / "same")
    assert {file for file in same if same[file] != together[file]} == {
        f"seed~1/examples~{examples}/faces.npz" for examples in (50, 100)
    }
