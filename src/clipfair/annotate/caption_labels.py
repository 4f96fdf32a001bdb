"""Labels of images from their captions, for unlabelled data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from clipfair.annotate.examples import read_shards
from clipfair.annotate.labels import read_labels
from clipfair.annotate.text import annotate_captions
from clipfair.annotate.vocabulary import Vocabulary
from clipfair.core.errors import UserError, progress

CAPTIONS = "captions"


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
    """Return labels for unlabelled images: the values that their captions mention.

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
