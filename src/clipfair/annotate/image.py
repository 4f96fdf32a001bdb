"""Attributes that a picture shows, and how well picture and caption fit (Appendix A.1, section 4.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve
from sklearn.preprocessing import StandardScaler

from clipfair.core.errors import UserError
from clipfair.core.io import atomic_path

TEMPLATES = ("a photo of a {}.", "a picture of a {}.", "{}")
BACKGROUND = ("a photo.", "a picture.", "")


class Encoder(Protocol):
    """What gives pictures and texts embeddings in one space; ``clipfair.annotate.encoders`` has two.

    The inner product of a picture's and a text's embedding is their cosine similarity, in [-1, 1].
    """

    @property
    def batch_size(self) -> int:
        """How many examples are encoded at once."""

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Embeddings, (n, d) float32."""

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of unit length, (n, d) float32."""


@dataclass(frozen=True)
class ImageAnnotator:
    """One linear classifier on image embeddings for each of k values of attributes.

    Value j is annotated where ``embedding @ weights[:, j] + biases[j] >= thresholds[j]``. The values do
    not exclude each other. Both kinds, :func:`zero_shot` and :func:`fit_probe`, are of this form.

    Parameters
    ----------
    columns
        ``attribute=value`` of each classifier; also those of pseudo object labels (``object=dog``).
    weights, biases, thresholds
        (d, k), (k,) and (k,) floats.
    """

    columns: tuple[str, ...]
    weights: np.ndarray
    biases: np.ndarray
    thresholds: np.ndarray

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """(n, k) scores of (n, d) embeddings of pictures."""
        return embeddings @ self.weights + self.biases

    def annotate(self, embeddings: np.ndarray) -> pd.DataFrame:
        """(n, k) booleans."""
        return pd.DataFrame(self.scores(embeddings) >= self.thresholds, columns=list(self.columns))


def zero_shot(
    encoder: Encoder, prompts: Mapping[str, Sequence[str]], *, background: Sequence[str] = BACKGROUND
) -> ImageAnnotator:
    """Classifiers from prompts, without labels.

    The score is the cosine similarity to the value's mean prompt less that to the mean background
    prompt, so that a picture which fits every text is not given every value. The threshold is 0
    (fits the value better than the background) until :func:`calibrate` sets it.

    Parameters
    ----------
    prompts
        The prompts of each ``attribute=value``; :func:`prompts_for` writes them.
    """
    weights = np.stack([_mean_direction(encoder, texts) for texts in prompts.values()], axis=1)
    weights -= _mean_direction(encoder, background)[:, None]
    zeros = np.zeros(len(prompts))
    return ImageAnnotator(tuple(prompts), weights, zeros, zeros)


def prompts_for(
    attribute: str, values: Sequence[str], templates: Sequence[str] = TEMPLATES
) -> dict[str, list[str]]:
    """Every template filled with every value's name, by ``attribute=value``."""
    return {f"{attribute}={value}": [text.format(value) for text in templates] for value in values}


def fit_probe(
    embeddings: np.ndarray, truth: pd.DataFrame, *, inverse_regularisation: float = 1.0
) -> ImageAnnotator:
    """Logistic regressions on labelled embeddings, one for each column of ``truth``.

    The features are standardised first, and that is folded into the weights. The score is the
    log-odds, the threshold 0 until :func:`calibrate` sets it, which needs other examples than these.

    Parameters
    ----------
    embeddings
        (n, d) of pictures.
    truth
        (n, k) booleans, the columns ``attribute=value``.

    Raises
    ------
    UserError
        If a value is the same for every example.
    """
    _check_varied(truth, what="training")
    scaler = StandardScaler().fit(embeddings)
    features = scaler.transform(embeddings)
    fitted = [
        LogisticRegression(C=inverse_regularisation, max_iter=2000).fit(features, truth[column])
        for column in truth
    ]
    weights = np.concatenate([model.coef_ for model in fitted]).T / scaler.scale_[:, None]
    biases = np.concatenate([model.intercept_ for model in fitted]) - scaler.mean_ @ weights
    return ImageAnnotator(tuple(truth.columns), weights, biases, np.zeros(len(fitted)))


def calibrate(
    annotator: ImageAnnotator,
    embeddings: np.ndarray,
    truth: pd.DataFrame,
    *,
    precision: float | None = None,
    match_share: bool = False,
) -> ImageAnnotator:
    """The annotator with thresholds chosen on a labelled set.

    Parameters
    ----------
    embeddings
        (n, d) of pictures that the annotator was not fitted to.
    truth
        (n, k) booleans with the annotator's columns.
    precision
        Take the largest recall at this precision at least; without it, the largest F1.
    match_share
        Take instead the threshold at which as many are annotated as are true. It asks nothing of single
        labels, and so suits those that tell only a part: the largest F1 would annotate nearly all where
        the scores are weak.

    Raises
    ------
    UserError
        If a column is missing, a value is the same for every example, or the precision cannot be had.
    """
    missing = [column for column in annotator.columns if column not in truth]
    if missing:
        raise UserError(f"calibration set: no column {', '.join(missing)}; it has {', '.join(truth.columns)}")
    truth = truth[list(annotator.columns)]
    _check_varied(truth, what="calibration")
    scores = annotator.scores(embeddings)
    chosen = [
        _share_threshold(truth[column].to_numpy(), scores[:, place])
        if match_share
        else _threshold(truth[column].to_numpy(), scores[:, place], precision=precision, column=column)
        for place, column in enumerate(annotator.columns)
    ]
    return replace(annotator, thresholds=np.array(chosen))


def save_annotator(path: str | Path, annotator: ImageAnnotator) -> None:
    """Write an annotator as .npz."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            columns=np.array(annotator.columns),
            weights=annotator.weights,
            biases=annotator.biases,
            thresholds=annotator.thresholds,
        )


def load_annotator(path: str | Path) -> ImageAnnotator:
    """Read what :func:`save_annotator` wrote."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return ImageAnnotator(
                tuple(map(str, arrays["columns"])),
                arrays["weights"],
                arrays["biases"],
                arrays["thresholds"],
            )
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise UserError(f"{path}: not an image annotator ({error}); make it again") from None


def _mean_direction(encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
    mean = encoder.encode_texts(texts).mean(axis=0)
    return mean / np.linalg.norm(mean)


def _check_varied(truth: pd.DataFrame, *, what: str) -> None:
    same = [column for column in truth if truth[column].nunique() < 2]
    if same:
        raise UserError(
            f"{what} set: every one of its {len(truth)} examples is the same in {', '.join(same)}; "
            "add examples or leave these values out"
        )


def _share_threshold(truth: np.ndarray, scores: np.ndarray) -> float:
    """Between the scores of the last that is annotated and the first that is not."""
    last = len(truth) - int(truth.sum())
    below, above = np.sort(scores)[last - 1 : last + 1]
    return float((below + above) / 2)


def _threshold(truth: np.ndarray, scores: np.ndarray, *, precision: float | None, column: str) -> float:
    precisions, recalls, thresholds = precision_recall_curve(truth, scores)
    precisions, recalls = precisions[:-1], recalls[:-1]  # the last point has no threshold
    if precision is None:
        f1 = 2 * precisions * recalls / np.maximum(precisions + recalls, np.finfo(float).tiny)
        place = int(np.argmax(f1))
    elif precisions.max() >= precision:
        place = int(np.argmax(precisions >= precision))  # the lowest threshold has the largest recall
    else:
        raise UserError(
            f"{column}: no threshold reaches precision {precision} on the calibration set "
            f"(best {precisions.max():.3f}); lower it or leave the value out"
        )
    # Midway to the next lower score: another batch size may round a score differently.
    return float(thresholds[place] if place == 0 else (thresholds[place - 1] + thresholds[place]) / 2)
