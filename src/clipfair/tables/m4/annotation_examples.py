"""Table 4 of CLIP the Bias: examples with the annotations of image and text (Appendix A.1)."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError
from clipfair.core.keys import hash_keys
from clipfair.data.annotation_columns import AnnotationColumn
from clipfair.data.images import DamagedImageError, decode_image
from clipfair.data.shards import read_pair
from clipfair.tables.common.annotations import find_columns, read_annotations
from clipfair.tables.common.markdown import markdown_table, percent, plain

MODALITIES = ("image", "text")  # the order of the paper's columns
_SIDE = 224  # the paper shows its images at this size


@dataclass(frozen=True)
class ExampleKind:
    """A kind of example: for each modality, whether it has annotations of (a label, a group)."""

    comment: str
    image: tuple[bool, bool]
    text: tuple[bool, bool]


# The table's four rows in its order.
KINDS = (
    ExampleKind("The image shows neither; the text supplies both.", (False, False), (True, True)),
    ExampleKind("The text says neither; the image supplies both.", (True, True), (False, False)),
    ExampleKind("The image shows only a group; the text adds an association.", (False, True), (True, True)),
    ExampleKind("The image shows only a label, the text says only a group.", (True, False), (False, True)),
)


@dataclass(frozen=True)
class ShownExample:
    """One annotated example, its hash, and its annotated values by modality and attribute."""

    hash: int
    key: str
    shard: str
    values: Mapping[str, str]


def build(
    annotations: Sequence[str],
    shards: Sequence[str],
    *,
    labels: Sequence[str] = ("occupation",),
    sensitive: str = "gender",
    seed: int = 0,
) -> tuple[pd.DataFrame, str]:
    """Choose an example of each of the table's four kinds and show it.

    Parameters
    ----------
    annotations
        Parquet files with ``key`` and booleans ``modality.attribute=value``.
    shards
        The tar of each, in the same order, with <key>.jpg and <key>.txt.
    labels, sensitive
        The attributes. The paper shows "sport" as a profession, which is one of its proxies.
    seed
        Seed of the choice by a hash of the key, which does not depend on the sharding.

    Returns
    -------
    One row per kind: ``comment, n, share`` (in [0, 1] of all examples), and of the chosen one ``key, shard,
    text, image_label, image_<sensitive>, text_label, text_<sensitive>``, empty if there is no such
    example. Then the page, with the images as data URIs of at most 224 pixels a side.

    Raises
    ------
    UserError
        If a file is damaged or lacks an attribute, the shards are not those of the annotations, or an
        image does not open.
    """
    if len(annotations) != len(shards):
        raise UserError(f"{len(annotations)} annotations but {len(shards)} shards; give the shard of each")
    found = find_columns(annotations, *labels, sensitive)
    attributes = {
        "label": [column for label in labels for column in found[label]],
        sensitive: found[sensitive],
    }
    columns = {
        f"{modality}_{name}": [column for column in some if column.modality == modality]
        for modality in MODALITIES
        for name, some in attributes.items()
    }
    counts, chosen, total = _choose(annotations, shards, columns, seed=seed)
    rows, images = [], []
    for kind, n, example in zip(KINDS, counts, chosen, strict=True):
        image, details = ("", {}) if example is None else _show(example)
        images.append(image)
        rows.append({"comment": kind.comment, "n": n, "share": n / total, **details})
    frame = pd.DataFrame(rows, columns=["comment", "n", "share", "key", "shard", "text", *columns])
    frame = frame.fillna("")
    return frame, _page(frame, images, list(columns), examples=total)


def _choose(
    annotations: Sequence[str],
    shards: Sequence[str],
    columns: Mapping[str, list[AnnotationColumn]],
    *,
    seed: int,
) -> tuple[list[int], list[ShownExample | None], int]:
    """The number of examples of each kind, the one with the smallest hash, and the number of all examples."""
    counts = [0] * len(KINDS)
    chosen: list[ShownExample | None] = [None] * len(KINDS)
    total = 0
    names = ["key", *(column.name for some in columns.values() for column in some)]
    for shard, frame in zip(shards, read_annotations(annotations, names), strict=True):
        total += len(frame)
        hashes = hash_keys(frame["key"].to_numpy(), seed=seed)
        annotated = [
            frame[[column.name for column in some]].any(axis=1).to_numpy() for some in columns.values()
        ]
        for place, kind in enumerate(KINDS):
            members = np.flatnonzero((np.stack(annotated, axis=1) == (*kind.image, *kind.text)).all(axis=1))
            counts[place] += len(members)
            if len(members):
                row = members[hashes[members].argmin()]
                values = {name: _values(frame.iloc[row], some) for name, some in columns.items()}
                found = ShownExample(int(hashes[row]), frame["key"].iloc[row], str(shard), values)
                best = chosen[place]
                chosen[place] = found if best is None or found.hash < best.hash else best
    return counts, chosen, total


def _values(row: pd.Series, columns: Sequence[AnnotationColumn]) -> str:
    return ", ".join(column.value for column in columns if row[column.name])


def _show(example: ShownExample) -> tuple[str, dict[str, str]]:
    """The image as an HTML element, and the cells of the example."""
    pair = read_pair(example.shard, example.key)
    if pair is None:
        raise UserError(
            f"{example.shard}: no image and caption of key {example.key!r}; annotate this shard again"
        )
    image, text = pair
    element = f'<img width="112" alt="{html.escape(example.key)}" src="{_data_uri(image, example)}">'
    return element, {
        "key": example.key,
        "shard": Path(example.shard).name,
        "text": text,
        **example.values,
    }


def _data_uri(content: bytes, example: ShownExample) -> str:
    try:
        shown = decode_image(content)
    except DamagedImageError:
        raise UserError(
            f"{example.shard}: the image of key {example.key!r} does not open; annotate this shard again"
        ) from None
    shown.thumbnail((_SIDE, _SIDE))
    encoded = io.BytesIO()
    shown.save(encoded, format="JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")


def _page(frame: pd.DataFrame, images: Sequence[str], columns: Sequence[str], *, examples: int) -> str:
    head = [
        "image",
        "text",
        *(name.replace("_", ": ") for name in columns),
        "comment",
        "share of examples (%)",
    ]
    rows = [
        [
            image or "none",
            plain(row["text"]),
            *row[list(columns)],
            row["comment"],
            percent(row["share"], decimals=2),
        ]
        for image, (_, row) in zip(images, frame.iterrows(), strict=True)
    ]
    lines = [
        "# Table 4 of CLIP the Bias: dataset examples",
        "",
        "Annotations of the image and of the caption for one example of each kind in the paper's table, "
        f"chosen by a hash of its key among {examples}.",
        "",
        *markdown_table(head, rows),
    ]
    return "\n".join(lines) + "\n"
