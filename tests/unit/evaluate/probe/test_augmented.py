import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from clipfair.core.errors import UserError
from clipfair.core.io import read_json, write_json
from clipfair.evaluate.probe.augmented import fit_probes, split_table
from clipfair.models import tokenizers
from clipfair.models.build import build
from clipfair.models.interface import pixels_of

SETTINGS = {
    "kind": "linear_probe",
    "dataset": "made",
    "split": "test",
    "augmented": True,
    "support": {"split": ["train", "val"]},
    "validation": "val",
    "label": "glaucoma",
    "sensitive": ["race"],
    "feature": "embedding",
    "epochs": 12,
    "batch_size": 16,
    "warm_up": 1,
    "every": 4,
    "base_rate": 100.0,
}
MODEL = {"kind": "small", "width": 4, "dim": 6, "words": "tiny", "length": 5, "size": 32}


@pytest.fixture(autouse=True)
def words(tmp_path, monkeypatch):
    monkeypatch.setattr(tokenizers, "WORDS", tmp_path)
    tokenizers.read_words.cache_clear()
    (tmp_path / "tiny.txt").write_text("a b")
    yield
    tokenizers.read_words.cache_clear()


def encoded(bright, rng):
    """An image whose brightness is its label."""
    values = np.clip(rng.normal(90 + 80 * bright, 30, (36, 48, 3)), 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, format="PNG")
    return stream.getvalue()


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    n = 120
    y = rng.integers(0, 2, n)
    table = pd.DataFrame(
        {
            "key": [f"k{i}" for i in range(n)],
            "split": np.array(["train", "train", "val", "test"])[np.arange(n) % 4],
            "glaucoma": y,
            "race": pd.Categorical(rng.choice(["asian", "black"], n)),
            "image_bytes": [encoded(label, rng) for label in y],
            "captions": [["a" if label else "b"] for label in y],
        }
    )
    table.to_parquet(tmp_path / "table.parquet")
    return {"table": str(tmp_path / "table.parquet"), "raw": str(tmp_path)}


def model(seed=0, **other):
    levels = {
        "dataset": "made",
        "balance": "none",
        "model": "tiny",
        "method": "clip",
        "attr": "none",
        "lam": "0",
    }
    return {"run": {**levels, "seed": seed}, "settings": MODEL, "weights": None, "spec": None, **other}


def test_it_writes_the_files_of_an_evaluation(tmp_path, dataset):
    write_json(tmp_path / "spec.json", {"examples": 640})
    models = [model(0), model(1, spec=str(tmp_path / "spec.json"))]
    fit_probes(models, dataset, {"probe": SETTINGS}, str(tmp_path / "out"))
    for seed, examples in ((0, 0), (1, 640)):
        folder = Path(tmp_path, f"out/seed~{seed}/on~probe")
        record = read_json(folder / "metrics.json")
        assert record["run"]["seed"] == seed
        assert (record["evaluation"], record["kind"]) == ("probe", "linear_probe")
        scores = pd.read_parquet(folder / "scores.parquet")
        assert len(scores) == 30
        rows = {(row["metric"], row["label"], row["group"]): row for row in record["rows"]}
        expected = roc_auc_score(scores["label"], scores["p"])
        assert rows["auc", None, None]["value"] == pytest.approx(expected)
        assert expected > 0.8
        assert {row["examples"] for row in record["rows"]} == {examples}
        assert pd.read_csv(folder / "log.csv")["epoch"].tolist() == [4, 8, 12]
    digests = [
        read_json(tmp_path / f"out/seed~{seed}/on~probe/metrics.json")["model_digest"] for seed in (0, 1)
    ]
    assert digests[0] != digests[1]


def test_the_same_seed_gives_the_same_scores(tmp_path, dataset):
    for name in ("a", "b"):
        fit_probes([model()], dataset, {"probe": SETTINGS}, str(tmp_path / name))
    a, b = (pd.read_parquet(tmp_path / f"{name}/seed~0/on~probe/scores.parquet") for name in "ab")
    assert a.equals(b)


def test_splits(dataset):
    table = pd.read_parquet(dataset["table"])
    parts = split_table(table, SETTINGS)
    assert {name: set(part["split"]) for name, part in parts.items()} == {
        "training": {"train"},
        "validation": {"val"},
        "test": {"test"},
    }
    keys = {key for part in parts.values() for key in part["key"]}
    assert keys == set(table["key"])
    with pytest.raises(UserError, match="examples of the split 'validation' and others"):
        split_table(table, {**SETTINGS, "validation": "validation"})


def test_a_feature_that_the_model_lacks_is_an_error(dataset, tmp_path):
    with pytest.raises(UserError, match="the model has no feature 'pre-logits'"):
        fit_probes(
            [model()], dataset, {"probe": {**SETTINGS, "feature": "pre-logits"}}, str(tmp_path / "out")
        )


def test_texts_are_a_second_feature(dataset, tmp_path):
    """With texts that give the label away, the probe is perfect."""
    settings = {**SETTINGS, "captions": "all", "max_characters": 170, "epochs": 40}
    fit_probes([model()], dataset, {"probe": settings}, str(tmp_path / "out"))
    scores = pd.read_parquet(tmp_path / "out/seed~0/on~probe/scores.parquet")
    assert roc_auc_score(scores["label"], scores["p"]) == 1


def test_a_logistic_regression_is_scikit_learns_on_resized_images(dataset, tmp_path):
    fit_probes([model()], dataset, {"probe": {**SETTINGS, "head": "logistic"}}, str(tmp_path / "out"))
    table = pd.read_parquet(dataset["table"])
    built = build(MODEL, None, 0)
    images = [Image.open(io.BytesIO(content)) for content in table["image_bytes"]]
    pixels = torch.stack([pixels_of(one.resize((32, 32), Image.Resampling.BICUBIC)) for one in images])
    with torch.no_grad():
        features = built.model.eval().encode_image(built.normalise(pixels)).numpy()
    chosen = {name: (table["split"] == name).to_numpy() for name in ("train", "test")}
    reference = LogisticRegression(C=0.316, max_iter=10_000)
    reference.fit(features[chosen["train"]], table["glaucoma"][chosen["train"]])
    scores = pd.read_parquet(tmp_path / "out/seed~0/on~probe/scores.parquet")
    expected = reference.predict_proba(features[chosen["test"]])[:, 1]
    assert scores["p"].to_numpy() == pytest.approx(expected, abs=1e-5)
