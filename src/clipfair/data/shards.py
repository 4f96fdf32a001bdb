"""Webdataset shards: where each pair lies in them, and the pair itself.

Shards are read in place. An index of each (the offsets of its pairs) is made once and kept in a cache.
"""

import hashlib
import io
import tarfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from clipfair.core.errors import UserError, progress
from clipfair.core.io import atomic_path
from clipfair.data.images import DAMAGE

PICTURES = ("jpg", "jpeg", "png", "webp")
_BLOCK = 512
_COLUMNS = ("key", "image", "image_size", "text", "text_size")


@dataclass(frozen=True)
class Index:
    """Where the pairs of some shards lie: for each its key, shard, and the bytes of image and text."""

    paths: Sequence[Path]
    key: np.ndarray
    shard: np.ndarray
    image: np.ndarray
    image_size: np.ndarray
    text: np.ndarray
    text_size: np.ndarray

    def __len__(self) -> int:
        return len(self.key)

    def read(self, row: int) -> tuple[bytes, str]:
        """The encoded image and the caption of a pair.

        Raises
        ------
        UserError
            If the shard has become shorter, or the caption is not UTF-8.
        """
        path = self.paths[self.shard[row]]
        with path.open("rb") as stream:
            image = _part(stream, self.image[row], self.image_size[row])
            text = _part(stream, self.text[row], self.text_size[row])
        try:
            if len(image) < self.image_size[row]:
                raise ValueError("the file is shorter than it was")
            return image, text.decode("utf-8").strip()
        except ValueError as error:
            raise _damaged(path, self.key[row], error) from None

    def picture(self, row: int, content: bytes) -> Image.Image:
        """The decoded image of a pair, RGB.

        Raises
        ------
        UserError
            If it does not decode.
        """
        try:
            with Image.open(io.BytesIO(content)) as image:
                return image.convert("RGB")
        except DAMAGE as error:
            raise _damaged(self.paths[self.shard[row]], self.key[row], error) from None


def _part(stream: io.BufferedReader, offset: int, size: int) -> bytes:
    stream.seek(int(offset))
    return stream.read(int(size))


def _damaged(path: Path, key: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(f"{path}: pair {key}: damaged ({reason}); fetch the shard again")


def find_shards(folder: str | Path) -> list[Path]:
    """The shards of a dataset's folder, in order.

    Raises
    ------
    UserError
        If there is none.
    """
    found = sorted(Path(folder, "shards").glob("*.tar"))
    if not found:
        raise UserError(f"{folder}/shards: no shards (*.tar); fetch the dataset again")
    return found


def read_index(paths: Sequence[Path], cache: str | Path, *, workers: int = 1) -> Index:
    """The index of shards, from the cache where they have not changed since.

    Raises
    ------
    UserError
        If a shard is damaged.
    """
    one = partial(_cached_index, cache=Path(cache, "index"))
    if workers > 1:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = list(progress(pool.map(one, paths), total=len(paths), unit="shard", what="indexing"))
    else:
        parts = [one(path) for path in progress(paths, unit="shard", what="indexing")]
    shard = np.repeat(np.arange(len(paths)), [len(part["key"]) for part in parts])
    return Index(
        paths, shard=shard, **{name: np.concatenate([part[name] for part in parts]) for name in _COLUMNS}
    )


def state_of(paths: Sequence[Path]) -> str:
    """A digest that changes when one of some files does: their names, sizes and times."""
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _cached_index(path: Path, cache: Path) -> dict[str, np.ndarray]:
    kept = cache / f"{path.stem}-{state_of([path])}.npz"
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as arrays:
            return dict(arrays)
    made = _index(path)
    with atomic_path(kept) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **made)
    return made


def _index(path: Path) -> dict[str, np.ndarray]:
    images: dict[str, tuple[int, int]] = {}
    texts: dict[str, tuple[int, int]] = {}
    last = "none"
    try:
        with path.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            for member in tar:
                last, _, suffix = member.name.rpartition("/")[2].partition(".")
                if member.isfile() and suffix.lower() in PICTURES:
                    images[last] = (member.offset_data, member.size)
                elif member.isfile() and suffix.lower() == "txt":
                    texts[last] = (member.offset_data, member.size)
            # tarfile takes a damaged header after the first for the end of the archive.
            stream.seek(tar.offset)
            if stream.read(_BLOCK) != bytes(_BLOCK):
                raise tarfile.ReadError("no mark at its end")
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{path}: damaged tar ({error}) after key {last!r}; fetch the shard again") from None
    keys = [key for key in images if key in texts]
    places = np.array([(*images[key], *texts[key]) for key in keys], dtype=np.int64).reshape(-1, 4)
    return {"key": np.array(keys, dtype=str), **dict(zip(_COLUMNS[1:], places.T, strict=True))}
