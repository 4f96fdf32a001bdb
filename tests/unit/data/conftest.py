"""Fixtures of the loaders' tests: small images, trees of files."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def make_image():
    """Returns a function: the encoded bytes of a small image of noise, seeded by its number."""

    def draw(number=0, form="jpeg", size=(8, 6)):
        pixels = np.random.default_rng(number).integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, form)
        return stream.getvalue()

    return draw


@pytest.fixture
def tree(tmp_path):
    """Returns a function that writes files into one folder, and the folder: name -> content."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / "raw" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "raw"

    return write


@pytest.fixture
def real():
    """Returns a function: a dataset's folder in the mirror of real data; without it the test is skipped."""

    def find(name):
        mirror = os.environ.get("CLIPFAIR_MIRROR")
        if mirror is None:
            pytest.skip("CLIPFAIR_MIRROR names no folder of real data")
        if not Path(mirror, name).is_dir():
            pytest.skip(f"{name} is not in the mirror folder")
        return Path(mirror, name)

    return find
