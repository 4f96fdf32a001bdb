"""Annotations of webdataset shards: one parquet and one report beside it for each."""

import io
import itertools
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from clipfair.annotate.image import Encoder, ImageAnnotator
from clipfair.annotate.text import annotate_captions
from clipfair.annotate.vocabulary import Vocabulary
from clipfair.core.errors import UserError, progress
from clipfair.core.io import write_json, write_parquet
from clipfair.data.images import DAMAGE

MODALITIES = ("text", "image")
_PICTURES = ("jpg", "jpeg", "png", "webp")
_TAR_BLOCK = 512


@dataclass(frozen=True)
class Example:
    """One pair of a shard."""

    key: str
    image: Image.Image
    caption: str


@dataclass
class BadExamples:
    """The keys of the examples that could not be read, by kind."""

    keys: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, key: str) -> None:
        """Count one."""
        self.keys[kind].append(key)

    def __len__(self) -> int:
        return sum(map(len, self.keys.values()))

    def __str__(self) -> str:
        """``3 empty caption (first 000017), 1 duplicate key (first 000023)``."""
        return ", ".join(f"{len(keys)} {kind} (first {keys[0]})" for kind, keys in self.keys.items())


class BadExampleError(Exception):
    """Why one example cannot be used, in the few words that the report counts by."""


def shard_paths(folder: str | Path, count: int) -> list[Path]:
    """The shards of a dataset's folder, 00000.tar to the last.

    Raises
    ------
    UserError
        If there are not ``count``.
    """
    found = sorted(Path(folder, "shards").glob("*.tar"))
    if len(found) != count:
        raise UserError(
            f"{folder}/shards: {len(found)} shards, expected {count}; correct shards in config.annotations"
        )
    return found


def annotate_shard(
    shard: str | Path,
    out_path: str | Path,
    *,
    vocabularies: Sequence[Vocabulary],
    encoder: Encoder,
    annotators: Sequence[ImageAnnotator],
    max_bad_share: float,
    json_fields: Sequence[str] = ("key",),
) -> None:
    """Annotate one shard from both modalities, which stay apart (Appendix A.1: concatenated, not OR-ed).

    Writes one row an example, in the shard's order: ``key``; a boolean ``text.attribute=value`` for every
    value of the vocabularies and ``image.attribute=value`` for every column of the annotators;
    ``human``, whether either modality has a value of the attribute ``human`` (Appendix A.6); and
    ``similarity``, the cosine of the image's and the caption's embedding (section 4.4). Beside it,
    ``<out_path's stem>.report.json`` counts the examples and the bad ones by kind.

    Parameters
    ----------
    shard
        A tar with <key>.jpg, <key>.txt and <key>.json.
    max_bad_share
        The share of bad examples, in [0, 1], above which nothing but the report is written.
    json_fields
        What each json must hold.

    Raises
    ------
    UserError
        If the tar is damaged, has no good example, or more than ``max_bad_share`` bad ones.
    """
    bad = BadExamples()
    keys, captions, embeddings = [], [], []
    examples = iter(progress(read_shard(shard, bad, json_fields=json_fields), what=Path(shard).name))
    while batch := list(itertools.islice(examples, encoder.batch_size)):
        keys += [example.key for example in batch]
        captions += [example.caption for example in batch]
        embeddings.append(encoder.encode_images([example.image for example in batch]))
    _report(shard, out_path, bad, good=len(keys), max_bad_share=max_bad_share)
    of_images = np.concatenate(embeddings)
    bits = pd.concat(
        [annotate_captions(captions, *vocabularies).add_prefix("text.")]
        + [annotator.annotate(of_images).add_prefix("image.") for annotator in annotators],
        axis=1,
    )
    human_columns = tuple(f"{modality}.human=" for modality in MODALITIES)
    human = bits.loc[:, bits.columns.str.startswith(human_columns)].any(axis=1)
    similarity = np.einsum("nd,nd->n", of_images, encoder.encode_texts(captions))
    frame = pd.concat([pd.Series(keys, name="key", dtype="str"), bits], axis=1)
    write_parquet(out_path, frame.assign(human=human, similarity=similarity))


def read_shard(
    shard: str | Path, bad: BadExamples, *, json_fields: Sequence[str] = ("key",)
) -> Iterator[Example]:
    """The good examples of a shard in order; the others are added to ``bad``.

    Raises
    ------
    UserError
        If the tar is damaged.
    """
    seen = set()
    for key, files in _grouped(shard):
        if key in seen:
            bad.add("duplicate key", key)
            continue
        seen.add(key)
        try:
            yield _example(key, files, json_fields)
        except BadExampleError as reason:
            bad.add(str(reason), key)


def read_shards(shards: Sequence[str | Path], *, max_bad_share: float) -> Iterator[Example]:
    """The good examples of some shards, one after the other.

    Raises
    ------
    UserError
        If a tar is damaged, has no good example, or a share of bad ones above ``max_bad_share``.
    """
    for shard in shards:
        bad, good = BadExamples(), 0
        for example in read_shard(shard, bad):
            good += 1
            yield example
        _check_share(shard, bad, good=good, max_bad_share=max_bad_share)


def _report(
    shard: str | Path, out_path: str | Path, bad: BadExamples, *, good: int, max_bad_share: float
) -> None:
    total = good + len(bad)
    report = {"shard": Path(shard).name, "examples": total, "annotated": good}
    report["bad_share"] = len(bad) / total if total else None
    report["bad"] = {kind: {"count": len(keys), "keys": keys} for kind, keys in bad.keys.items()}
    write_json(Path(out_path).with_suffix(".report.json"), report)
    _check_share(shard, bad, good=good, max_bad_share=max_bad_share)


def _check_share(shard: str | Path, bad: BadExamples, *, good: int, max_bad_share: float) -> None:
    total = good + len(bad)
    if total == 0:
        raise UserError(f"{shard}: the shard has no examples; remove it or fetch it again")
    share = len(bad) / total
    if good == 0 or share > max_bad_share:
        raise UserError(
            f"{shard}: {len(bad)} of {total} examples are bad ({share:.1%}, at most {max_bad_share:.1%} "
            f"allowed): {bad}; mend the shard or raise max_bad_share"
        )


def _grouped(shard: str | Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Keys with their files by suffix. Files of one example stand together, as webdataset demands."""
    key, files = None, {}
    for member_key, suffix, data in _files(shard):
        if key is not None and (member_key != key or suffix in files):
            yield key, files
            files = {}
        key = member_key
        files[suffix] = data
    if key is not None:
        yield key, files


def _files(shard: str | Path) -> Iterator[tuple[str, str, bytes]]:
    """Key, suffix and content of every regular file; the key ends at the first dot of the file's name."""
    last = "none"
    try:
        # Opened here, since tarfile takes a damaged header after the first for the end of the archive.
        with Path(shard).open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            for member in tar:
                if member.isfile():
                    folder, _, name = member.name.rpartition("/")
                    stem, _, suffix = name.partition(".")
                    data = tar.extractfile(member).read()
                    last = f"{folder}/{stem}" if folder else stem
                    yield last, suffix.lower(), data
            stream.seek(tar.offset)
            if stream.read(_TAR_BLOCK) != bytes(_TAR_BLOCK):
                raise tarfile.ReadError("no end-of-archive mark where one should be")
    except FileNotFoundError:
        raise UserError(f"{shard}: no such file") from None
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{shard}: damaged tar ({error}) after key {last!r}; fetch the shard again") from None


def _example(key: str, files: dict[str, bytes], json_fields: Sequence[str]) -> Example:
    picture = next((files[suffix] for suffix in _PICTURES if suffix in files), None)
    if picture is None:
        raise BadExampleError("missing image")
    for suffix in ("txt", "json"):
        if suffix not in files:
            raise BadExampleError(f"missing {suffix}")
    _check_json(files["json"], json_fields)
    return Example(key, _open_image(picture), _caption(files["txt"]))


def _check_json(data: bytes, fields: Sequence[str]) -> None:
    try:
        known = json.loads(data)
    except ValueError:
        raise BadExampleError("json that does not parse") from None
    for name in fields:
        if not isinstance(known, dict) or known.get(name) is None:
            raise BadExampleError(f"json without {name}")


def _open_image(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data)).convert("RGB")
    except DAMAGE:
        raise BadExampleError("image that does not open") from None


def _caption(data: bytes) -> str:
    try:
        caption = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise BadExampleError("caption that is not UTF-8") from None
    if not caption:
        raise BadExampleError("empty caption")
    return caption
