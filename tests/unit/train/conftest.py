import io
import tarfile

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from clipfair.models.build import build

MODEL = {
    "kind": "small",
    "width": 4,
    "dim": 8,
    "words": "embedded",
    "length": 12,
    "size": 32,
    "weights": None,
}
RECIPE = {
    "batch_size": 8,
    "examples": 96,
    "optimiser": "adamw",
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "warmup": 2,
    "clip": 1.0,
    "in_memory": True,
    "open_shards": 2,
}
WORDS = ("man", "woman", "nurse", "cook", "ball", "tree", "red", "blue")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def raw(tmp_path_factory):
    """60 pairs in three shards, as img2dataset writes them."""
    folder = tmp_path_factory.mktemp("raw")
    (folder / "shards").mkdir()
    rng = np.random.default_rng(0)
    for shard in range(3):
        with tarfile.open(folder / f"shards/{shard:05d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(20):
                image = io.BytesIO()
                Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(image, format="PNG")
                caption = " ".join(rng.choice(WORDS, 3))
                for suffix, content in (
                    ("png", image.getvalue()),
                    ("txt", caption.encode()),
                    ("json", b"{}"),
                ):
                    member = tarfile.TarInfo(f"{shard:05d}{number:04d}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return folder


@pytest.fixture(scope="session")
def keys():
    """Those of ``raw``, in their order."""
    return [f"{shard:05d}{number:04d}" for shard in range(3) for number in range(20)]


@pytest.fixture(scope="session")
def keep(tmp_path_factory, keys):
    """Keep-lists: all, and the two thirds whose number is not a multiple of three."""
    folder = tmp_path_factory.mktemp("keep")
    frame = pd.DataFrame({"key": keys, "shard": [key[:5] for key in keys]})
    frame.to_parquet(folder / "baseline.parquet", index=False)
    frame[np.arange(len(keys)) % 3 > 0].to_parquet(folder / "balanced.parquet", index=False)
    return {name: str(folder / f"{name}.parquet") for name in ("baseline", "balanced")}


@pytest.fixture
def built():
    return build(MODEL, None, 0)


@pytest.fixture
def request_of(tmp_path, raw, keep):
    """A whole request for :func:`clipfair.train.run.train`, with what differs."""

    def make(name="run", *, seed=0, stages=(("baseline", 1),), method=None, model=None, **recipe):
        folder = tmp_path / name
        run = {
            "dataset": "web",
            "balance": "b",
            "model": "tiny",
            "method": "clip",
            "attr": "none",
            "lam": "0",
        }
        out = {"model": "model.safetensors", "spec": "spec.json", "log": "log.csv"}
        out |= {"snapshots": "snapshots", "epochs": "epochs.csv"}
        return {
            "settings": {
                "run": run | {"seed": seed},
                "model": MODEL | (model or {}),
                "recipe": RECIPE | recipe,
                "method": method
                or {"kind": "pretrain", "settings": {"loss": "softmax", "temperature": 10, "bias": None}},
                "stages": [{"balance": balance, "share": share} for balance, share in stages],
            },
            "data": {
                "raw": str(raw),
                "keep": [keep[balance] for balance, _ in stages],
                "cache": str(tmp_path / "cache"),
            },
            "weights": None,
            "out": {key: str(folder / value) for key, value in out.items()},
            "scratch": str(tmp_path / f"scratch-{name}"),
            "code": "digest",
            "threads": 1,
        }

    return make


SIGMOID = {"kind": "pretrain", "settings": {"loss": "sigmoid", "temperature": 10, "bias": -10}}
