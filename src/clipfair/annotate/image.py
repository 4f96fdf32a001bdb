"""Attributes of images by linear classifiers on embeddings (Appendix A.1): prompts, probes, calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve
from sklearn.preprocessing import StandardScaler

from clipfair.annotate.encoders.interface import Encoder
from clipfair.core.errors import UserError
from clipfair.core.io import atomic_path

TEMPLATES = ("a photo of a {}.", "a picture of a {}.", "{}")


@dataclass(frozen=True)
class ImageAnnotator:
    """One linear classifier on image embeddings for each of k attribute values.

    Value j is annotated where ``embedding @ weights[:, j] + biases[j] >= thresholds[j]``. Several values of
    one attribute may be annotated. :func:`zero_shot` and :func:`fit_probe` both return this form.

    Parameters
    ----------
    columns
        ``attribute=value`` of each classifier, pseudo object labels (``object=dog``) included.
    weights, biases, thresholds
        (d, k), (k,) and (k,) floats.
    """

    columns: tuple[str, ...]
    weights: np.ndarray
    biases: np.ndarray
    thresholds: np.ndarray

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """Return (n, k) scores of (n, d) image embeddings."""
        return embeddings @ self.weights + self.biases

    def annotate(self, embeddings: np.ndarray) -> pd.DataFrame:
        """Return (n, k) booleans, one column a value."""
        return pd.DataFrame(self.scores(embeddings) >= self.thresholds, columns=list(self.columns))


def zero_shot(
    encoder: Encoder, prompts: Mapping[str, Sequence[str]], *, background: Sequence[str]
) -> ImageAnnotator:
    """Return classifiers from prompts, without labels.

    The score is the cosine similarity to the value's mean prompt minus that to the mean background text, so
    that an image similar to every text does not get every value. The threshold is 0 (more similar to the
    value than to the background) until :func:`calibrate` sets it.

    Parameters
    ----------
    prompts
        The prompts of each ``attribute=value``, for instance from :func:`prompts_for`.
    background
        Texts about images in general, such as the captions of the data.
    """
    weights = np.stack([_mean_direction(encoder, texts) for texts in prompts.values()], axis=1)
    weights -= _mean_direction(encoder, background)[:, None]
    zeros = np.zeros(len(prompts))
    return ImageAnnotator(tuple(prompts), weights, zeros, zeros)


def prompts_for(
    attribute: str, values: Sequence[str], templates: Sequence[str] = TEMPLATES
) -> dict[str, list[str]]:
    """Return every template filled with each value's name, by ``attribute=value``."""
    return {f"{attribute}={value}": [text.format(value) for text in templates] for value in values}


def fit_probe(
    embeddings: np.ndarray, truth: pd.DataFrame, *, inverse_regularisation: float = 1.0
) -> ImageAnnotator:
    """Fit logistic regressions to labelled embeddings, one for each column of ``truth``.

    The features are standardised; the weights include this scaling. The score is the log-odds. The threshold
    is 0 until :func:`calibrate` sets it, which needs other examples than these.

    Parameters
    ----------
    embeddings
        (n, d) of images.
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
    match_share: bool = False,
) -> ImageAnnotator:
    """Return the annotator with the thresholds of the largest F1 on a labelled set.

    Parameters
    ----------
    embeddings
        (n, d) of images that the annotator was not fitted to.
    truth
        (n, k) booleans with the annotator's columns.
    match_share
        Choose the threshold at which the share of annotated examples equals the share of true ones instead.
        This suits incomplete labels, such as captions: the largest F1 would annotate nearly all examples
        where the scores are weak.

    Raises
    ------
    UserError
        If a column is missing, or a value is the same for every example.
    """
    missing = [column for column in annotator.columns if column not in truth]
    if missing:
        raise UserError(f"calibration set: no column {', '.join(missing)}; it has {', '.join(truth.columns)}")
    truth = truth[list(annotator.columns)]
    _check_varied(truth, what="calibration")
    scores = annotator.scores(embeddings)
    chosen = [
        (_share_threshold if match_share else _f1_threshold)(truth[column].to_numpy(), scores[:, j])
        for j, column in enumerate(annotator.columns)
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
    """Read an annotator that :func:`save_annotator` wrote."""
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
        raise UserError(f"{path}: not an image annotator ({error}); delete it and run again") from None


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
    """The middle between the lowest annotated score and the highest score below it."""
    last = len(truth) - int(truth.sum())
    below, above = np.sort(scores)[last - 1 : last + 1]
    return float((below + above) / 2)


def _f1_threshold(truth: np.ndarray, scores: np.ndarray) -> float:
    precisions, recalls, thresholds = precision_recall_curve(truth, scores)
    precisions, recalls = precisions[:-1], recalls[:-1]  # the last point has no threshold
    f1 = 2 * precisions * recalls / np.maximum(precisions + recalls, np.finfo(float).tiny)
    best = int(np.argmax(f1))
    # The middle to the next lower score: another batch size may round a score differently.
    return float(thresholds[best] if best == 0 else (thresholds[best - 1] + thresholds[best]) / 2)
