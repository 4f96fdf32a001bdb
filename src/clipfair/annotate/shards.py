"""Annotations of webdataset shards: one parquet and one report per shard."""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from PIL import Image

from clipfair.annotate.image import Encoder, ImageAnnotator
from clipfair.annotate.text import annotate_captions
from clipfair.annotate.vocabulary import Vocabulary
from clipfair.core.errors import UserError, progress
from clipfair.core.io import write_json, write_parquet
from clipfair.data.annotation_columns import MODALITIES
from clipfair.data.images import DAMAGE, decode_image
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


def annotate_shard(
    shard: str | Path,
    out_path: str | Path,
    *,
    vocabularies: Sequence[Vocabulary],
    encoder: Encoder,
    annotators: Sequence[ImageAnnotator],
    max_bad_share: float,
) -> None:
    """Annotate one shard; text and image attributes are separate columns (Appendix A.1: concatenated).

    Writes one row an example, in the shard's order: ``key``; a boolean ``text.attribute=value`` for every
    value of the vocabularies and ``image.attribute=value`` for every column of the annotators;
    ``human``, true if either modality has a value of the attribute ``human`` (Appendix A.6); and
    ``similarity``, the cosine of the image and caption embeddings, in [-1, 1] (section 4.4).
    ``<out_path's stem>.report.json``, in the same folder, counts the examples and the bad ones by reason.

    Parameters
    ----------
    shard
        A tar with <key>.jpg, <key>.txt and <key>.json.
    max_bad_share
        The share of bad examples, in [0, 1], above which only the report is written.

    Raises
    ------
    UserError
        If the tar is damaged, has a duplicate file, no good example, or more than ``max_bad_share`` bad ones.
    """
    bad = BadExamples()
    keys, captions, embeddings = [], [], []
    examples = iter(progress(read_shard(shard, bad), what=Path(shard).name))
    while batch := list(itertools.islice(examples, encoder.batch_size)):
        keys += [example.key for example in batch]
        captions += [example.caption for example in batch]
        embeddings.append(encoder.encode_images([example.image for example in batch]))
    _report(shard, out_path, bad, good=len(keys), max_bad_share=max_bad_share)
    image_embeddings = np.concatenate(embeddings)
    attributes = pd.concat(
        [annotate_captions(captions, *vocabularies).add_prefix("text.")]
        + [annotator.annotate(image_embeddings).add_prefix("image.") for annotator in annotators],
        axis=1,
    )
    human_columns = tuple(f"{modality}.human=" for modality in MODALITIES)
    human = attributes.loc[:, attributes.columns.str.startswith(human_columns)].any(axis=1)
    similarity = np.einsum("nd,nd->n", image_embeddings, encoder.encode_texts(captions))
    frame = pd.concat([pd.Series(keys, name="key", dtype="str"), attributes], axis=1)
    write_parquet(out_path, frame.assign(human=human, similarity=similarity))


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
        If a tar is damaged, has a duplicate file, no good example, or a share of bad ones above
        ``max_bad_share``.
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
    report["bad"] = {reason: {"count": len(keys), "keys": keys} for reason, keys in bad.keys.items()}
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
    except DAMAGE:
        raise BadExampleError("image that does not open") from None


def _caption(content: bytes) -> str:
    try:
        caption = decode_caption(content)
    except UnicodeDecodeError:
        raise BadExampleError("caption that is not UTF-8") from None
    if not caption:
        raise BadExampleError("empty caption")
    return caption
