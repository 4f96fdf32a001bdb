"""CIFAR-100, the Python version: three pickles, read without running any code in them."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from clipfair.core.errors import UserError, progress
from clipfair.data.loading import columns

FOLDER = "cifar-100-python"
SPLITS = ("train", "test")
SIDE = 32
ADVICE = "fetch the dataset again"
# The names in these pickles. Any other name is refused, since unpickling could run the code it names.
ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
}


def load(folder: str | Path) -> pd.DataFrame:
    """Load the images of train and test, in their order.

    Returns
    -------
    ``key`` (train/00000), ``image_bytes`` (PNG, 32 x 32), ``split`` (train, test), ``label``, the fine
    class, categorical in the order of its codes.

    Raises
    ------
    UserError
        If a file is damaged, or contains anything but arrays and plain values.
    """
    root = Path(folder, FOLDER)
    names = [name.decode() for name in _field(_unpickle(root / "meta"), b"fine_label_names", root / "meta")]
    return pd.concat([_load_split(root / split, split, names) for split in SPLITS], ignore_index=True)


def _load_split(path: Path, split: str, names: list[str]) -> pd.DataFrame:
    batch = _unpickle(path)
    pixels, codes = _field(batch, b"data", path), np.array(_field(batch, b"fine_labels", path))
    if pixels.dtype != np.uint8 or pixels.shape != (len(codes), 3 * SIDE * SIDE):
        raise UserError(
            f"{path}: data are {pixels.dtype} of shape {pixels.shape}, expected uint8 of shape "
            f"({len(codes)}, {3 * SIDE * SIDE}); {ADVICE}"
        )
    if not np.isin(codes, range(len(names))).all():
        raise UserError(f"{path}: a label is none of the {len(names)} classes of meta; {ADVICE}")
    # One image a row: the red channel, then green, then blue.
    images = pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    frame = pd.DataFrame(
        {
            "key": [f"{split}/{number:05d}" for number in range(len(codes))],
            "image_bytes": [_png(image) for image in progress(images, unit="image", what=f"packing {split}")],
        }
    )
    frame["split"] = columns.constant(split, frame, SPLITS)
    frame["label"] = pd.Categorical.from_codes(codes, names)
    return frame


def _png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png", compress_level=1)
    return stream.getvalue()


def _field(content: dict, name: bytes, path: Path) -> Any:
    if name not in content:
        raise UserError(f"{path}: no {name.decode()!r}; {ADVICE}")
    return content[name]


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that refuses every name except those that an array needs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}; CIFAR-100's files contain only arrays")
        return ALLOWED[module, name]


def _unpickle(path: Path) -> dict:
    try:
        with path.open("rb") as stream:
            # Written by Python 2, whose texts are bytes.
            content = _ArraysOnly(stream, encoding="bytes").load()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {ADVICE}") from None
    # A damaged pickle raises any of these.
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        OverflowError,
    ) as error:
        raise UserError(f"{path}: not one of CIFAR-100's files ({error}); {ADVICE}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no named arrays; {ADVICE}")
    return content
