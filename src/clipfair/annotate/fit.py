"""Fit image annotators to labelled images: one part of the images for fitting, the other for calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.annotate.encoders.interface import Encoder
from clipfair.annotate.examples import read_shards
from clipfair.annotate.image import (
    ImageAnnotator,
    calibrate,
    fit_probe,
    prompts_for,
    save_annotator,
    zero_shot,
)
from clipfair.core.errors import UserError, progress
from clipfair.core.io import write_json
from clipfair.core.keys import hash_keys

KINDS = ("probe", "zero_shot")
_BACKGROUND_CAPTIONS = 1000  # enough to know their mean direction to a few percent


@dataclass(frozen=True)
class FitSettings:
    """Settings for fitting and calibrating an image annotator.

    No pydantic model: ``kind`` alone is written by users, and the configuration has checked it
    (``AnnotatorEntry``); the other values are set in code.

    Attributes
    ----------
    kind : ``probe`` (:func:`fit_probe`), or ``zero_shot`` (:func:`zero_shot` with the values' names against
        the captions of the examples). For ``zero_shot`` all examples calibrate, since nothing is fitted.
    calibration_share : of the examples, in (0, 1); the part is chosen by a hash of the key.
    match_share : calibrate to the share of true labels instead of the largest F1 (:func:`calibrate`).
    inverse_regularisation : of :func:`fit_probe`.
    min_examples : with a value, and without it, in each part; values with fewer are left out; at least 1.
    seed : of the hash.
    """

    kind: str
    calibration_share: float = 0.3
    match_share: bool = False
    inverse_regularisation: float = 0.1
    min_examples: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"unknown kind of annotator {self.kind!r}; known: {', '.join(KINDS)}")
        if not 0 < self.calibration_share < 1:
            raise UserError(
                f"calibration_share is {self.calibration_share}; expected more than 0 and less than 1"
            )
        if self.min_examples < 1:
            raise UserError(f"min_examples is {self.min_examples}; expected 1 or more")


def fit_annotator(
    encoder: Encoder,
    shards: Sequence[str | Path],
    labels: pd.DataFrame,
    out_path: str | Path,
    settings: FitSettings,
    *,
    max_bad_share: float = 0.0,
) -> None:
    """Fit an image annotator to labelled pairs and write it as .npz.

    ``<out_path's stem>.report.json``, in the same folder, counts the examples of both parts, the labels
    without an image, and the examples of each value that is left out.

    Parameters
    ----------
    labels
        ``key`` and booleans ``attribute=value``, as :func:`clipfair.annotate.labels.read_labels` returns
        them. Examples that are not in the shards are ignored.
    max_bad_share
        The share of bad examples, in [0, 1], that a shard may have.

    Raises
    ------
    UserError
        If a shard cannot be read or has too many bad examples, two labelled examples share a key, or no
        value has enough examples.
    """
    keys, captions, embeddings = _embed(encoder, shards, set(labels["key"]), max_bad_share=max_bad_share)
    truth = labels.set_index("key").loc[keys]
    calibrates = _calibration_part(keys, settings)
    usable = _usable_values(truth, calibrates, settings.min_examples)
    if settings.kind == "probe":
        fitted = fit_probe(
            embeddings[~calibrates],
            truth.loc[~calibrates, usable],
            inverse_regularisation=settings.inverse_regularisation,
        )
    else:
        fitted = _zero_shot_of(encoder, usable, background=captions[:_BACKGROUND_CAPTIONS])
    calibrated = calibrate(
        fitted, embeddings[calibrates], truth.loc[calibrates], match_share=settings.match_share
    )
    save_annotator(out_path, calibrated)
    report = {
        "kind": settings.kind,
        "fitted": int((~calibrates).sum()),
        "calibrated": int(calibrates.sum()),
        "labels_without_picture": len(labels) - len(keys),
        "left_out": {name: int(truth[name].sum()) for name in truth if name not in usable},
    }
    write_json(Path(out_path).with_suffix(".report.json"), report)


def _embed(
    encoder: Encoder, shards: Sequence[str | Path], wanted: set[str], *, max_bad_share: float
) -> tuple[list[str], list[str], np.ndarray]:
    """Keys, captions and embeddings of the wanted examples of the shards."""
    keys, captions, embeddings, images = [], [], [], []
    examples = read_shards(shards, max_bad_share=max_bad_share)
    for example in progress(examples, what="encoding labelled images"):
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
            f"labels: none of {len(wanted)} keys is in the {len(shards)} shards; give the labelled shards"
        )
    repeated = pd.Index(keys).duplicated()
    if repeated.any():
        raise UserError(
            f"key {keys[int(repeated.argmax())]!r} is in two shards; keys must be unique over all shards"
        )
    return keys, captions, np.concatenate(embeddings)


def _calibration_part(keys: Sequence[str], settings: FitSettings) -> np.ndarray:
    """True for the examples that calibrate, (n,)."""
    if settings.kind == "zero_shot":
        return np.ones(len(keys), dtype=bool)
    hashes = hash_keys(np.array(keys, dtype=object), seed=settings.seed)
    return hashes < settings.calibration_share * 2.0**64


def _usable_values(truth: pd.DataFrame, calibrates: np.ndarray, min_examples: int) -> list[str]:
    parts = [truth[part] for part in (calibrates, ~calibrates) if part.any()]
    usable = [name for name in truth if all(_is_frequent(part[name], min_examples) for part in parts)]
    if not usable:
        raise UserError(
            f"labels: of {len(truth.columns)} values none has {min_examples} examples with it and without it "
            f"in each part of {len(truth)} labelled images; label more of them"
        )
    return usable


def _is_frequent(truth: pd.Series, min_examples: int) -> bool:
    return min_examples <= truth.sum() <= len(truth) - min_examples


def _zero_shot_of(encoder: Encoder, columns: Sequence[str], *, background: Sequence[str]) -> ImageAnnotator:
    prompts = {}
    for column in columns:
        attribute, _, value = column.partition("=")
        prompts |= prompts_for(attribute, [value])
    return zero_shot(encoder, prompts, background=background)
