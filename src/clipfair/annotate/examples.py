"""Checked image-text pairs from webdataset shards: good examples are yielded, bad ones counted."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from PIL import Image

from clipfair.core.errors import UserError
from clipfair.data.images import DamagedImageError, decode_image
from clipfair.data.shards import TEXT_SUFFIX, decode_caption, image_of, list_files
from clipfair.data.tar import TarMember

JSON_SUFFIX = "json"


@dataclass(frozen=True)
class Example:
    """One image-text pair of a shard."""

    key: str
    image: Image.Image
    caption: str


@dataclass
class BadExamples:
    """The keys of the examples that could not be read, by reason."""

    keys: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, reason: str, key: str) -> None:
        """Count one."""
        self.keys[reason].append(key)

    def __len__(self) -> int:
        return sum(map(len, self.keys.values()))

    def __str__(self) -> str:
        """``3 empty caption (first 000017), 1 missing image (first 000023)``."""
        return ", ".join(f"{len(keys)} {reason} (first {keys[0]})" for reason, keys in self.keys.items())


class BadExampleError(Exception):
    """Why one example cannot be used: the reason by which the report counts it."""


def read_shard(shard: str | Path, bad: BadExamples) -> Iterator[Example]:
    """Yield the good examples of a shard in order; add the others to ``bad``.

    Raises
    ------
    UserError
        If the tar is damaged or has a duplicate file (:func:`clipfair.data.shards.list_files`).
    """
    files_by_key = list_files(shard)
    with Path(shard).open("rb") as stream:
        for key, files in files_by_key.items():
            try:
                yield _example(key, files, stream)
            except BadExampleError as reason:
                bad.add(str(reason), key)


def read_shards(shards: Sequence[str | Path], *, max_bad_share: float) -> Iterator[Example]:
    """Yield the good examples of several shards in order.

    Raises
    ------
    UserError
        If a tar is damaged, has a duplicate file, only bad examples, or a share of bad ones above
        ``max_bad_share``.
    """
    for shard in shards:
        bad, good = BadExamples(), 0
        for example in read_shard(shard, bad):
            good += 1
            yield example
        check_share(shard, bad, good=good, max_bad_share=max_bad_share)


def check_share(shard: str | Path, bad: BadExamples, *, good: int, max_bad_share: float) -> None:
    """Raise :class:`UserError` if all examples of a shard are bad, or a share above ``max_bad_share``.

    A shard without any examples is no error: no address of it answered.
    """
    total = good + len(bad)
    if total == 0:
        return
    share = len(bad) / total
    if good == 0 or share > max_bad_share:
        raise UserError(
            f"{shard}: {len(bad)} of {total} examples are bad ({share:.1%}, at most {max_bad_share:.1%} "
            f"allowed): {bad}; fix the shard or raise max_bad_share"
        )


def _example(key: str, files: Mapping[str, TarMember], stream: IO[bytes]) -> Example:
    image = image_of(files)
    if image is None:
        raise BadExampleError("missing image")
    for suffix in (TEXT_SUFFIX, JSON_SUFFIX):
        if suffix not in files:
            raise BadExampleError(f"missing {suffix}")
    _check_json(files[JSON_SUFFIX].read(stream))
    return Example(key, _image(image.read(stream)), _caption(files[TEXT_SUFFIX].read(stream)))


def _check_json(content: bytes) -> None:
    try:
        known = json.loads(content)
    except ValueError:
        raise BadExampleError("json that does not parse") from None
    if not isinstance(known, dict) or known.get("key") is None:
        raise BadExampleError("json without key")


def _image(content: bytes) -> Image.Image:
    try:
        return decode_image(content)
    except DamagedImageError:
        raise BadExampleError("image that does not open") from None


def _caption(content: bytes) -> str:
    try:
        caption = decode_caption(content)
    except UnicodeDecodeError:
        raise BadExampleError("caption that is not UTF-8") from None
    if not caption:
        raise BadExampleError("empty caption")
    return caption
