"""Decoded images of a prepared table: prepared for a model once, in a folder that jobs share.

The folder is that of one preparation and one state of a dataset. For each set of rows it has two files:
``<digest of the rows>.npy``, their images, and ``<digest of the rows>.rows.npy``, the rows.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clipfair.core.errors import progress
from clipfair.core.io import atomic_path, reserve, sha256_of
from clipfair.data.images import image_records, open_image

if TYPE_CHECKING:
    from PIL.Image import Image

ROWS = ".rows.npy"


@dataclass(frozen=True)
class DecodedImages:
    """The decoded images of n rows of a table, in a file that may have more.

    Attributes
    ----------
    pixels : (N, 3, size, size) uint8, memory-mapped; copied on write, because torch needs a writable array.
    places : (n,) the place of each row in ``pixels``.
    """

    pixels: np.ndarray
    places: np.ndarray


def decoded_folder(
    cache: str | Path, preparation: str, table: str | Path, contents: str | Path | None = None
) -> Path:
    """Return the folder of a dataset's decoded images in a cache.

    Parameters
    ----------
    preparation
        A name for how the images are prepared.
    table, contents
        The prepared table, and the file with the sha256 of the raw data if there is one: images may change
        while the table stays.
    """
    files = [table] if contents is None else [table, contents]
    state = hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()[:16]
    return Path(cache, "decoded", f"{preparation}-{state}")


def find_decoded(folder: Path, rows: np.ndarray) -> DecodedImages | None:
    """Return the decoded images of some rows, if one file has all of them.

    Parameters
    ----------
    rows
        (n,) positions in the table, ascending.
    """
    for path in sorted(folder.glob(f"*{ROWS}")):
        stored = np.load(path)
        places = np.searchsorted(stored, rows)
        if len(rows) <= len(stored) and np.array_equal(stored.take(places, mode="clip"), rows):
            return DecodedImages(np.load(_images_of(path), mmap_mode="c"), places)
    return None


def decode_rows(
    folder: Path,
    table: pd.DataFrame,
    rows: np.ndarray,
    *,
    raw: str | Path,
    prepare: Callable[["Image"], np.ndarray],
    size: int,
    threads: int,
) -> DecodedImages:
    """Return the decoded images of some rows: those that are there, or they are decoded and stored.

    Parameters
    ----------
    table
        The prepared table.
    rows
        (n,) positions in it, ascending.
    raw
        The folder of the dataset.
    prepare
        An image -> (3, size, size) uint8.
    threads
        How many images are decoded at once.

    Raises
    ------
    UserError
        If an image does not open.
    """
    if (found := find_decoded(folder, rows)) is not None:
        return found
    path = folder / f"{hashlib.sha256(rows.astype('<i8').tobytes()).hexdigest()[:16]}{ROWS}"
    with atomic_path(_images_of(path)) as temporary:
        shape = (len(rows), 3, size, size)
        pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        reserve(temporary)
        _decode(table.iloc[rows], raw, prepare, pixels, threads)
        pixels.flush()
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, rows)
    return DecodedImages(np.load(_images_of(path), mmap_mode="c"), np.arange(len(rows)))


def _images_of(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix(ROWS)}.npy")


def _decode(
    table: pd.DataFrame,
    raw: str | Path,
    prepare: Callable[["Image"], np.ndarray],
    pixels: np.ndarray,
    threads: int,
) -> None:
    examples = image_records(table)

    def decode(row: int) -> None:
        pixels[row] = prepare(open_image(examples[row], folder=raw))

    with ThreadPoolExecutor(threads) as pool:
        done = pool.map(decode, range(len(examples)))
        for _ in progress(done, total=len(examples), unit="image", what="decoding"):
            pass
