"""Data and settings of small fine-tunings: a table with its images, a model of 16 pixels."""

import io

import numpy as np
import pandas as pd
from PIL import Image

from clipfair.core.io import write_parquet
from clipfair.metrics.evaluated_distances import named_distances
from clipfair.models.build import build
from clipfair.plan.configuration.methods import FinetuneMethod

LINE = {"kind": "small", "width": 4, "dim": 8, "words": "embedded", "length": 12, "size": 16}
SIZES = {"train": 70, "val": 24, "test": 40}
GROUPS = {"race": ("asian", "black", "white"), "gender": ("female", "male")}
RECIPE = {
    "batch_size": 16,
    "group_batch_size": 8,
    "epochs": 3,
    "optimiser": "adam",
    "learning_rate": 1e-3,
    "betas": [0.1, 0.1],
    "eps": 1e-6,
    "weight_decay": 6e-5,
    "schedule": "constant",
    "label": "glaucoma",
    "attributes": ["race", "gender"],
    "prompts": ["A photo of non-glaucoma", "A photo of glaucoma"],
    "max_characters": 60,
    "splits": {
        "train": {"split": "train"},
        "validation": {"split": "val", "where": {"used": True}},
        "test": {"split": "test", "where": {"used": True}},
    },
    "tracked": named_distances(["distance_wasserstein", "distance_scale_free"]),
}


def make_table(seed=0):
    """Return a prepared table: images with glaucoma are brighter; 10% of the training split has no race."""
    rng = np.random.default_rng(seed)
    split = np.repeat(list(SIZES), list(SIZES.values()))
    n = len(split)
    glaucoma = rng.integers(2, size=n)
    race = rng.choice(3, size=n, p=[0.25, 0.25, 0.5])
    race[(split == "train") & (rng.random(n) < 0.1)] = -1
    gender = rng.integers(2, size=n)
    words = np.where(glaucoma == 1, "glaucoma", "non-glaucoma")
    pixels = (
        rng.integers(100, size=(n, 16, 16, 3), dtype=np.uint8)
        + (100 * glaucoma).astype(np.uint8)[:, None, None, None]
    )
    return pd.DataFrame(
        {
            "key": [f"data_{number:05d}" for number in range(n)],
            "image_bytes": [_png(one) for one in pixels],
            "split": split,
            "race": pd.Categorical.from_codes(race, GROUPS["race"]),
            "gender": pd.Categorical.from_codes(gender, GROUPS["gender"]),
            "glaucoma": glaucoma,
            "captions": [
                [f"{age} year old {GROUPS['gender'][who]} patient. Diagnosis: {word}."]
                for age, who, word in zip(rng.integers(20, 90, size=n), gender, words, strict=True)
            ],
            "used": True,
        }
    )


def _png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def write_data(folder, table):
    """Write a table; return the data argument of a training."""
    path = folder / "table.parquet"
    write_parquet(path, table)
    return {"raw": str(folder), "table": str(path), "cache": str(folder / "cache")}


def make_settings(switches, *, attr="none", lam="0", seed=0, recipe=None):
    """Return the settings of a fine-tuning: a variant, and the switches that differ from it."""
    chosen = FinetuneMethod(kind="finetune", **switches).switches
    weights = chosen.weights or {attr: 1.0}
    fairness = None if chosen.distance is None else {"lam": float(lam), "weights": weights}
    levels = {"dataset": "made", "balance": "none", "model": "tiny", "method": "mine"}
    return {
        "run": {**levels, "attr": attr, "lam": lam, "seed": seed},
        "model": dict(LINE),
        "recipe": {**RECIPE, **(recipe or {})},
        "method": {"kind": "finetune", "settings": chosen.model_dump()},
        "fairness": fairness,
        "stages": [],
    }


def outputs(folder):
    """Return the output paths of a run."""
    names = {"model": "model.safetensors", "log": "log.csv", "epochs": "epochs.csv"}
    names |= {"spec": "spec.json", "snapshots": "snapshots"}
    return {name: str(folder / file) for name, file in names.items()}


def make_model(seed=0):
    """Return a model with random weights."""
    return build(LINE, None, seed)
