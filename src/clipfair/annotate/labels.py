"""Labels of images: the values of each attribute that an example has, from a file or from its caption."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from clipfair.annotate.shards import read_shards
from clipfair.annotate.text import annotate_captions
from clipfair.annotate.vocabulary import Vocabulary
from clipfair.core.errors import UserError, progress

CAPTIONS = "captions"

_IMAGE_PREFIX = "image."


def load_labels(
    source: str,
    *,
    folder: str | Path,
    shards: Sequence[str | Path],
    vocabularies: Sequence[Vocabulary],
    categories: Sequence[str],
    flags: Mapping[str, str],
    max_bad_share: float,
) -> pd.DataFrame:
    """Return the labels of ``source``: a parquet in the dataset's ``folder``, or ``captions``.

    See :func:`read_labels` and :func:`caption_labels` for the other parameters and the result.
    """
    if source == CAPTIONS:
        return caption_labels(
            shards, vocabularies, categories=categories, flags=flags, max_bad_share=max_bad_share
        )
    return read_labels(Path(folder, source), categories=categories, flags=flags)


def caption_labels(
    shards: Sequence[str | Path],
    vocabularies: Sequence[Vocabulary],
    *,
    categories: Sequence[str],
    flags: Mapping[str, str],
    max_bad_share: float,
) -> pd.DataFrame:
    """Return labels for images that nobody labelled: the values that their captions mention.

    A caption mentions only a part of what the image shows, so these labels have false negatives. Annotators
    are calibrated to their share (``match_share`` of :func:`clipfair.annotate.image.calibrate`).

    Parameters
    ----------
    categories
        Attributes of the vocabularies; each of their values is a label.
    flags
        Label -> attribute; the label is true if any value of the attribute is mentioned:
        ``{"human=person": "human"}``.

    Returns
    -------
    As :func:`read_labels`, one row for each example of the shards.

    Raises
    ------
    UserError
        If no vocabulary has an attribute, or a shard cannot be read or has too many bad examples.
    """
    known = {vocabulary.attribute: vocabulary for vocabulary in vocabularies}
    missing = [name for name in (*categories, *flags.values()) if name not in known]
    if missing:
        raise UserError(
            f"labels from captions: no vocabulary of {', '.join(missing)}; known: {', '.join(known)}"
        )
    examples = progress(read_shards(shards, max_bad_share=max_bad_share), what="reading captions")
    keys, captions = zip(*((example.key, example.caption) for example in examples), strict=True)
    labels = annotate_captions(captions, *(known[name] for name in categories))
    for label, name in flags.items():
        labels[label] = annotate_captions(captions, known[name]).any(axis=1)
    return pd.concat([pd.Series(keys, name="key", dtype="str"), labels], axis=1)


def read_labels(
    path: str | Path, *, categories: Sequence[str] = (), flags: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read the labels of images from a parquet.

    Parameters
    ----------
    path
        A file with ``key`` (unique strings) and columns of 0 and 1 or booleans, ``attribute=value``, or
        ``image.attribute=value`` if the file has both modalities. Other columns are ignored.
    categories
        Columns of value names (empty for none), each of which becomes one column a value: ``object``
        becomes ``object=dog`` and so on.
    flags
        Label -> column of 0 and 1 or booleans: ``{"human=person": "person"}``.

    Returns
    -------
    One row an example: ``key`` and booleans ``attribute=value``.

    Raises
    ------
    UserError
        If the file cannot be read, lacks a column, has no label or a repeated key, or a cell is neither 0
        nor 1.
    """
    frame = _read(path)
    named = flags or {}
    missing = [name for name in ("key", *categories, *named.values()) if name not in frame]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; it has {', '.join(frame.columns)}")
    if frame["key"].duplicated().any():
        key = frame["key"][frame["key"].duplicated()].iloc[0]
        raise UserError(f"{path}: key {key!r} is there twice; keys must be unique")
    columns = {
        name.removeprefix(_IMAGE_PREFIX): frame[name]
        for name in frame
        if "=" in name and "." not in name.removeprefix(_IMAGE_PREFIX).partition("=")[0]
    }
    columns |= {label: frame[name] for label, name in named.items()}
    for name in categories:
        columns |= pd.get_dummies(frame[name], prefix=name, prefix_sep="=").to_dict("series")
    if not columns:
        raise UserError(f"{path}: no labels; expected columns such as gender=man or image.gender=man")
    for label, values in columns.items():
        if not values.isin([0, 1]).all():
            raise UserError(f"{path}: {label}: expected only 0 and 1 or booleans, without empty cells")
    return pd.concat([frame["key"], pd.DataFrame(columns).astype(bool)], axis=1)


def _read(path: str | Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; fetch the dataset again") from None
    except pa.ArrowInvalid as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: cannot be read as parquet ({reason}); fetch the dataset again") from None
