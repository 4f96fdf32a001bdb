"""Annotations of webdataset shards: one parquet and one report per shard."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.annotate.encoders.interface import Encoder
from clipfair.annotate.examples import BadExamples, check_share, read_shard
from clipfair.annotate.image import ImageAnnotator
from clipfair.annotate.text import annotate_captions
from clipfair.annotate.vocabulary import Vocabulary
from clipfair.core.errors import progress
from clipfair.core.io import write_json, write_parquet
from clipfair.data.annotation_columns import MODALITIES


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
        If the tar is damaged, has a duplicate file, only bad examples, or more than ``max_bad_share``.
    """
    bad = BadExamples()
    keys, captions, embeddings = [], [], []
    examples = iter(progress(read_shard(shard, bad), what=Path(shard).name))
    while batch := list(itertools.islice(examples, encoder.batch_size)):
        keys += [example.key for example in batch]
        captions += [example.caption for example in batch]
        embeddings.append(encoder.encode_images([example.image for example in batch]))
    _report(shard, out_path, bad, good=len(keys), max_bad_share=max_bad_share)
    # Encoders need one text or more; an empty shard has none.
    text_embeddings = encoder.encode_texts(captions or [""])[: len(keys)]
    image_embeddings = np.concatenate(embeddings) if embeddings else text_embeddings
    attributes = pd.concat(
        [annotate_captions(captions, *vocabularies).add_prefix("text.")]
        + [annotator.annotate(image_embeddings).add_prefix("image.") for annotator in annotators],
        axis=1,
    )
    human_columns = tuple(f"{modality}.human=" for modality in MODALITIES)
    human = attributes.loc[:, attributes.columns.str.startswith(human_columns)].any(axis=1)
    similarity = np.einsum("nd,nd->n", image_embeddings, text_embeddings)
    frame = pd.concat([pd.Series(keys, name="key", dtype="str"), attributes], axis=1)
    write_parquet(out_path, frame.assign(human=human, similarity=similarity))


def _report(
    shard: str | Path, out_path: str | Path, bad: BadExamples, *, good: int, max_bad_share: float
) -> None:
    total = good + len(bad)
    report = {"shard": Path(shard).name, "examples": total, "annotated": good}
    report["bad_share"] = len(bad) / total if total else None
    report["bad"] = {reason: {"count": len(keys), "keys": keys} for reason, keys in bad.keys.items()}
    write_json(Path(out_path).with_suffix(".report.json"), report)
    check_share(shard, bad, good=good, max_bad_share=max_bad_share)
