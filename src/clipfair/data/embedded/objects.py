"""Objects for zero- and few-shot classification: CIFAR-100's three files, with classes of our own."""

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from clipfair.data.embedded.draw import develop
from clipfair.data.embedded.glyphs import OBJECTS
from clipfair.data.embedded.image_settings import ObjectSettings
from clipfair.data.embedded.scenery import BACKGROUNDS, draw_backgrounds, draw_single

# Classes by group: CIFAR-100's fine and coarse labels.
GROUPS = {
    "animals": ("butterfly", "fish"),
    "food": ("apple", "banana"),
    "household": ("candle", "clock", "cup", "key", "umbrella"),
    "outdoor": ("ball", "boat", "house", "star"),
    "plants": ("flower", "mushroom", "tree"),
}


def generate_objects(folder: Path, settings: ObjectSettings, rng: np.random.Generator) -> None:
    """Write ``cifar-100-python/{train,test,meta}`` into ``folder``."""
    target = folder / "cifar-100-python"
    target.mkdir()
    coarse = {name: code for code, names in enumerate(GROUPS.values()) for name in names}
    for split, per_class in {"train": settings.train_per_class, "test": settings.test_per_class}.items():
        labels = rng.permutation(np.repeat(np.arange(len(OBJECTS)), per_class))
        pixels = draw_backgrounds(settings.size, rng.integers(len(BACKGROUNDS), size=len(labels)), rng)
        draw_single(pixels, list(OBJECTS.values()), labels, rng)
        images = develop(pixels, rng, noise=settings.noise)
        names = [list(OBJECTS)[label] for label in labels]
        batch = {
            "filenames": [f"{name}_s_{number:06d}.png" for number, name in enumerate(names)],
            "batch_label": f"{split}ing batch 1 of 1",
            "fine_labels": labels.tolist(),
            "coarse_labels": [coarse[name] for name in names],
            # One image a row: all its red, then all its green, then all its blue.
            "data": images.transpose(0, 3, 1, 2).reshape(len(labels), -1),
        }
        _write_pickle(target / split, batch)
    _write_pickle(target / "meta", {"fine_label_names": list(OBJECTS), "coarse_label_names": list(GROUPS)})


def _write_pickle(path: Path, value: dict) -> None:
    with path.open("wb") as stream:
        _Python2Pickler(stream, protocol=2).dump(value)


class _Python2Pickler(pickle._Pickler):
    """Pickles as Python 2 did, as CIFAR's files are: text as bytes, numpy under its old name.

    A reader with ``encoding="bytes"`` thus gets bytes, and one that allows only the names in the original
    files can read these files.
    """

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value: bytes) -> None:
        self.write(pickle.BINSTRING + len(value).to_bytes(4, "little") + value)
        self.memoize(value)

    def save_text(self, value: str) -> None:
        self.save_bytes(value.encode("latin-1"))

    def save_global(self, value: Any, name: str | None = None) -> None:
        if value.__module__ == "numpy._core.multiarray":
            self.write(pickle.GLOBAL + f"numpy.core.multiarray\n{value.__name__}\n".encode())
            self.memoize(value)
        else:
            super().save_global(value, name)

    dispatch[bytes] = save_bytes
    dispatch[str] = save_text
