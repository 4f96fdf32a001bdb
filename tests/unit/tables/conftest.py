"""Annotations of a small synthetic dataset in two files, and the same as plain rows."""

import numpy as np
import pandas as pd
import pytest

GENDERS = ["man", "woman"]
OCCUPATIONS = ["judge", "nurse"]
PROXIES = ["gun", "credit card", "car"]
OBJECTS = ["dog", "adult", "tree", "cup"]


class Annotated:
    """``paths`` of the parquet files, and ``rows``, all of their rows as dictionaries."""

    def __init__(self, paths, frames):
        self.paths = [str(path) for path in paths]
        self.frame = pd.concat(frames, ignore_index=True)
        self.rows = self.frame.to_dict("records")


@pytest.fixture
def annotated(tmp_path):
    """Two shards of 30 and 20 examples; the proxy "car" is annotated in captions only."""
    generator = np.random.default_rng(7)
    columns = [
        *(f"{modality}.gender={value}" for modality in ("text", "image") for value in GENDERS),
        *(f"{modality}.occupation={value}" for modality in ("text", "image") for value in OCCUPATIONS),
        *(f"text.proxy={value}" for value in PROXIES),
        *(f"image.proxy={value}" for value in PROXIES[:2]),
        *(f"image.object={value}" for value in OBJECTS),
    ]
    paths, frames = [], []
    for shard, n in enumerate((30, 20)):
        bits = generator.random((n, len(columns))) < generator.uniform(0.15, 0.4, len(columns))
        frame = pd.DataFrame(bits, columns=columns)
        frame.insert(0, "key", [f"{shard:05d}{row:04d}" for row in range(n)])
        path = tmp_path / "annotations" / f"{shard:05d}.parquet"
        path.parent.mkdir(exist_ok=True)
        frame.assign(human=True, similarity=0.5).to_parquet(path, index=False)
        paths.append(path)
        frames.append(frame)
    return Annotated(paths, frames)
