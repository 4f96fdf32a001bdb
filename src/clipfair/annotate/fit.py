"""Image annotators from labelled pictures: fitted to some, calibrated on others."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.annotate.image import (
    Encoder,
    ImageAnnotator,
    calibrate,
    fit_probe,
    prompts_for,
    save_annotator,
    zero_shot,
)
from clipfair.annotate.shards import read_shards
from clipfair.core.errors import UserError, progress
from clipfair.core.io import write_json
from clipfair.core.keys import hash_keys

KINDS = ("probe", "zero_shot")
_BACKGROUND = 1000  # captions; their mean direction is known to a few percent


def fit_annotator(
    encoder: Encoder,
    shards: Sequence[str | Path],
    labels: pd.DataFrame,
    out_path: str | Path,
    *,
    kind: str,
    calibration_share: float = 0.3,
    precision: float | None = None,
    match_share: bool = False,
    inverse_regularisation: float = 0.1,
    min_examples: int = 5,
    max_bad_share: float = 0.0,
    seed: int = 0,
) -> None:
    """Fit an image annotator to labelled pairs and write it as .npz.

    Which examples calibrate goes by a hash of their keys; all others are fitted to. Beside the .npz,
    ``<out_path's stem>.report.json`` counts both, the labels without a picture, and of each value that is
    too rare to be learnt, and so left out, its examples.

    Parameters
    ----------
    labels
        ``key`` and booleans ``attribute=value``, as :func:`clipfair.annotate.labels.read_labels` gives
        them: of any of the shards' examples, and perhaps of others.
    kind
        ``probe`` (:func:`fit_probe`) or ``zero_shot`` (:func:`zero_shot` with the values' names against the
        captions of the examples; all of these calibrate, since there is nothing to fit).
    calibration_share
        In (0, 1).
    precision, match_share
        As :func:`calibrate` takes them: the largest recall at this precision, or as many as are true, or else
        the largest F1.
    inverse_regularisation
        As :func:`fit_probe` takes it.
    min_examples
        How many examples with a value, and without it, each part needs; at least 1.
    max_bad_share
        The share of bad examples, in [0, 1], that a shard may have.
    seed
        Of the hash.

    Raises
    ------
    UserError
        If the kind or the share is another, a shard cannot be read or has too many bad examples, two
        labelled examples share a key, or the labels do not suffice.
    """
    _check(kind, calibration_share, min_examples)
    keys, captions, embeddings = _embed(encoder, shards, set(labels["key"]), max_bad_share=max_bad_share)
    truth = labels.set_index("key").loc[keys]
    calibrates = np.ones(len(keys), dtype=bool)
    if kind == "probe":
        calibrates = hash_keys(np.array(keys, dtype=object), seed=seed) < calibration_share * 2.0**64
    parts = [truth[part] for part in (calibrates, ~calibrates) if part.any()]
    usable = [name for name in truth if all(_is_frequent(part[name], min_examples) for part in parts)]
    if not usable:
        raise UserError(
            f"labels: of {len(truth.columns)} values none has {min_examples} examples with it and without it "
            f"in each part of {len(keys)} labelled pictures; label more of them"
        )
    if kind == "probe":
        fitted = fit_probe(
            embeddings[~calibrates],
            truth.loc[~calibrates, usable],
            inverse_regularisation=inverse_regularisation,
        )
    else:
        fitted = _zero_shot_of(encoder, usable, background=captions[:_BACKGROUND])
    calibrated = calibrate(
        fitted,
        embeddings[calibrates],
        truth.loc[calibrates],
        precision=precision,
        match_share=match_share,
    )
    save_annotator(out_path, calibrated)
    report = {
        "kind": kind,
        "fitted": int((~calibrates).sum()),
        "calibrated": int(calibrates.sum()),
        "labels_without_picture": len(labels) - len(keys),
        "left_out": {name: int(truth[name].sum()) for name in truth if name not in usable},
    }
    write_json(Path(out_path).with_suffix(".report.json"), report)


def _check(kind: str, calibration_share: float, min_examples: int) -> None:
    if kind not in KINDS:
        raise UserError(f"unknown kind of annotator {kind!r}; known: {', '.join(KINDS)}")
    if not 0 < calibration_share < 1:
        raise UserError(f"calibration_share is {calibration_share}; expected more than 0 and less than 1")
    if min_examples < 1:
        raise UserError(f"min_examples is {min_examples}; expected 1 or more")


def _embed(
    encoder: Encoder, shards: Sequence[str | Path], wanted: set[str], *, max_bad_share: float
) -> tuple[list[str], list[str], np.ndarray]:
    """Keys, captions and embeddings of the wanted examples of the shards."""
    keys, captions, embeddings, images = [], [], [], []
    examples = read_shards(shards, max_bad_share=max_bad_share)
    for example in progress(examples, what="encoding labelled pictures"):
        if example.key in wanted:
            keys.append(example.key)
            captions.append(example.caption)
            images.append(example.image)
        if len(images) == encoder.batch_size:
            embeddings.append(encoder.encode_images(images))
            images = []
    if images:
        embeddings.append(encoder.encode_images(images))
    if not keys:
        raise UserError(
            f"labels: none of {len(wanted)} keys is in the {len(shards)} shards; give those labelled"
        )
    twice = pd.Index(keys).duplicated()
    if twice.any():
        raise UserError(
            f"key {keys[int(twice.argmax())]!r} is in two shards; give the shards keys of their own"
        )
    return keys, captions, np.concatenate(embeddings)


def _is_frequent(truth: pd.Series, min_examples: int) -> bool:
    return min_examples <= truth.sum() <= len(truth) - min_examples


def _zero_shot_of(encoder: Encoder, columns: Sequence[str], *, background: Sequence[str]) -> ImageAnnotator:
    prompts = {}
    for column in columns:
        attribute, _, value = column.partition("=")
        prompts |= prompts_for(attribute, [value])
    return zero_shot(encoder, prompts, background=background)
