"""Webdataset shards: tars of image-text pairs, read in place. Every reader of shards uses this module.

The key of a file is webdataset's: its path in the tar up to the first dot of the file name. Folders belong
to the key, a leading ``./`` does not. The rest of the name, in lower case, is the suffix. A file without
one of the two (``README``, ``.hidden``) belongs to no pair. The files of a key need not be adjacent; two
files of one key with one suffix are an error.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from clipfair.core.errors import UserError, progress
from clipfair.core.io import atomic_path
from clipfair.core.paths import SHARDS
from clipfair.data.images import DamagedImageError, decode_image
from clipfair.data.tar import TarMember, list_members

_SHARD_NAME = re.compile(r"[A-Za-z0-9._-]+")
# In the order of preference where a key has several.
IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp")
TEXT_SUFFIX = "txt"
_COLUMNS = ("key", "image", "image_size", "text", "text_size")


def split_name(name: str) -> tuple[str, str] | None:
    """Return key and suffix of a file's name in a shard, None if it belongs to no pair.

    >>> split_name("./part/000000017.JPG")
    ('part/000000017', 'jpg')
    """
    folder, slash, file = name.removeprefix("./").rpartition("/")
    stem, _, suffix = file.partition(".")
    return (folder + slash + stem, suffix.lower()) if stem and suffix else None


def list_files(shard: str | Path) -> dict[str, dict[str, TarMember]]:
    """Return the files of each key by suffix, keys in the order of their first file.

    Raises
    ------
    UserError
        If the tar is missing or damaged, or a key has two files with one suffix.
    """
    files: dict[str, dict[str, TarMember]] = {}
    for member in list_members(shard):
        split = split_name(member.name)
        if split is not None:
            key, suffix = split
            if files.setdefault(key, {}).setdefault(suffix, member) is not member:
                raise UserError(
                    f"{shard}: two files {suffix!r} of key {key!r}; a key has one file of each suffix: "
                    "remove one, or fetch the shard again"
                )
    return files


def image_of(files: Mapping[str, TarMember]) -> TarMember | None:
    """Return the image among the files of a key, None if there is none."""
    return next((files[suffix] for suffix in IMAGE_SUFFIXES if suffix in files), None)


def read_pair(shard: str | Path, key: str) -> tuple[bytes, str] | None:
    """Return the encoded image and the caption of one key, None if the shard lacks either.

    Raises
    ------
    UserError
        If the tar is missing or damaged, or the caption is not UTF-8.
    """
    files = list_files(shard).get(key, {})
    image = image_of(files)
    if image is None or TEXT_SUFFIX not in files:
        return None
    return _read_pair(Path(shard), key, image, files[TEXT_SUFFIX])


def _read_pair(path: Path, key: str, image: TarMember, text: TarMember) -> tuple[bytes, str]:
    with path.open("rb") as stream:
        content, caption = image.read(stream), text.read(stream)
    if len(content) < image.size or len(caption) < text.size:
        raise _damaged(path, key, "the file is shorter than it was")
    try:
        return content, decode_caption(caption)
    except UnicodeDecodeError as error:
        raise _damaged(path, key, error) from None


def decode_caption(content: bytes) -> str:
    """Return a caption without blanks at its ends; :class:`UnicodeDecodeError` if it is not UTF-8."""
    return content.decode("utf-8").strip()


def _damaged(path: Path, key: str, error: Exception | str) -> UserError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(f"{path}: pair {key}: damaged ({reason}); fetch the shard again")


@dataclass(frozen=True)
class PairIndex:
    """The pairs of some shards: of each its key, its shard, and the bytes of its image and its text.

    Attributes
    ----------
    paths : the shards.
    key : (n,) text.
    shard : (n,) position in ``paths``.
    image, image_size, text, text_size : (n,) offset and size in the shard, bytes.
    """

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
        """Return the encoded image and the caption of a pair.

        Raises
        ------
        UserError
            If the shard has become shorter, or the caption is not UTF-8.
        """
        image = TarMember("", int(self.image[row]), int(self.image_size[row]))
        text = TarMember("", int(self.text[row]), int(self.text_size[row]))
        return _read_pair(self.paths[self.shard[row]], self.key[row], image, text)

    def decode(self, row: int, content: bytes) -> Image.Image:
        """Return the image of a pair as RGB, from its encoded ``content``.

        Raises
        ------
        UserError
            If it does not decode.
        """
        try:
            return decode_image(content)
        except DamagedImageError as error:
            raise _damaged(self.paths[self.shard[row]], self.key[row], error) from None


def list_shards(folder: str | Path, suffix: str = ".tar") -> dict[str, Path]:
    """Return the shards below ``<folder>/shards`` by name, sorted; with another suffix, the files like them.

    The name of a shard is its file's name without the suffix. Hidden files are no shards.

    Raises
    ------
    UserError
        If two shards have one name, or a name does not consist of letters, digits, ``.``, ``_`` and ``-``.
    """
    root = Path(folder, SHARDS)
    found: dict[str, Path] = {}
    for path in root.rglob(f"*{suffix}"):
        if path.name.startswith("."):
            continue
        if _SHARD_NAME.fullmatch(path.stem) is None:
            raise UserError(f"{path}: a shard's name consists of letters, digits, '.', '_', '-'; rename it")
        other = found.setdefault(path.stem, path)
        if other != path:
            first, second = sorted(str(one.relative_to(root)) for one in (other, path))
            raise UserError(f"{root}: {first} and {second} have one name; rename one")
    return dict(sorted(found.items()))


def find_shards(folder: str | Path) -> list[Path]:
    """Return the shards of a dataset's folder, sorted by name.

    Raises
    ------
    UserError
        If there is none, or :func:`list_shards` raises it.
    """
    found = list_shards(folder)
    if not found:
        raise UserError(f"{folder}/{SHARDS}: no shards (*.tar); fetch the dataset again")
    return list(found.values())


def find_shard(folder: str | Path, name: str) -> Path:
    """Return the shard of that name.

    Raises
    ------
    UserError
        If there is none.
    """
    found = list_shards(folder)
    if name not in found:
        raise UserError(
            f"{folder}/{SHARDS}: no shard {name!r} among {len(found)}; run again: the shards are listed "
            "when the run is planned, and until the data are there their number is the annotation's shards"
        )
    return found[name]


def read_index(paths: Sequence[Path], cache: str | Path, *, workers: int = 1) -> PairIndex:
    """Return the index of shards, from the cache where they have not changed since.

    Raises
    ------
    UserError
        If a shard is damaged, or has two files of one key with one suffix.
    """
    one = partial(_cached_index, cache=Path(cache, "index"))
    if workers > 1:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = list(progress(pool.map(one, paths), total=len(paths), unit="shard", what="indexing"))
    else:
        parts = [one(path) for path in progress(paths, unit="shard", what="indexing")]
    shard = np.repeat(np.arange(len(paths)), [len(part["key"]) for part in parts])
    return PairIndex(
        paths, shard=shard, **{name: np.concatenate([part[name] for part in parts]) for name in _COLUMNS}
    )


def files_digest(paths: Sequence[Path]) -> str:
    """Return a digest of the names, sizes and modification times of files."""
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _cached_index(path: Path, cache: Path) -> dict[str, np.ndarray]:
    cached = cache / f"{path.stem}-{files_digest([path])}.npz"
    if cached.is_file():
        with np.load(cached, allow_pickle=False) as arrays:
            return dict(arrays)
    index = _index(path)
    with atomic_path(cached) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **index)
    return index


def _index(path: Path) -> dict[str, np.ndarray]:
    pairs = {
        key: (image, files[TEXT_SUFFIX])
        for key, files in list_files(path).items()
        if (image := image_of(files)) is not None and TEXT_SUFFIX in files
    }
    places = np.array(
        [(image.offset, image.size, text.offset, text.size) for image, text in pairs.values()], dtype=np.int64
    ).reshape(-1, 4)
    return {"key": np.array(list(pairs), dtype=str), **dict(zip(_COLUMNS[1:], places.T, strict=True))}
