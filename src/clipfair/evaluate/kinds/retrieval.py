"""Retrieval of texts by images and of images by texts: recall at 1, 5 and 10 (CLIP the Bias, section 4.4).

Settings: ``captions``. Each caption of a test image is a query for its image among all test images; each
image is a query for any of its captions among all captions.

Equally near candidates have no order, so recall is the probability of a hit when they are shuffled: a model
that gives every pair the same score has a recall of k / n, not 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipfair.evaluate.protocol import Embedded, Result
from clipfair.metrics.bootstrap import interval, means
from clipfair.metrics.measure import make_measure

AT = (1, 5, 10)
IMAGES_AT_ONCE = 256


@dataclass(frozen=True)
class Ranks:
    """The rank of the nearest correct candidate of each query.

    Attributes
    ----------
    nearer : (n,) how many wrong candidates are nearer.
    tied : (n,) how many candidates are equally near, itself included.
    correct : (n,) how many of the tied candidates are correct, at least 1.
    """

    nearer: np.ndarray
    tied: np.ndarray
    correct: np.ndarray

    def recall(self, k: int) -> np.ndarray:
        """The probability that a correct candidate is among the first ``k``, ties shuffled; (n,)."""
        places = np.clip(k - self.nearer, 0, self.tied)
        missed = np.ones(len(places))
        for place in range(k):  # the probability that wrong candidates take all places
            left = np.maximum(self.tied - self.correct - place, 0) / np.maximum(self.tied - place, 1)
            missed *= np.where(place < places, left, 1)
        return 1 - missed


def evaluate(embedded: Embedded, settings: Mapping, rng: np.random.Generator) -> Result:
    """``image_to_text_recall_<k>`` (n images) and ``text_to_image_recall_<k>`` (n captions).

    Captions are resampled with their images.
    """
    table = embedded.test.table
    image_of = np.repeat(np.arange(len(table)), table["captions"].map(len))
    to_text, to_image = rank(embedded.test.images, embedded.texts["captions"], image_of)
    captions = np.bincount(image_of, minlength=len(table))
    measures = []
    for k in AT:
        of_images, of_captions = to_text.recall(k), to_image.recall(k)
        hits = np.bincount(image_of, weights=of_captions, minlength=len(table))
        resampled = means(np.column_stack([of_images, hits, captions]), rng)
        for metric, recalls, replicates in (
            ("image_to_text_recall", of_images, resampled[:, 0]),
            ("text_to_image_recall", of_captions, resampled[:, 1] / resampled[:, 2]),
        ):
            measures.append(
                make_measure(f"{metric}_{k}", recalls.mean(), n=len(recalls), interval=interval(replicates))
            )
    return Result(measures, _scores(table["key"].to_numpy(), image_of, to_text, to_image))


def _scores(keys: np.ndarray, image_of: np.ndarray, to_text: Ranks, to_image: Ranks) -> pd.DataFrame:
    """One row per query: images first, then captions by image."""
    parts = [
        pd.DataFrame(
            {
                "key": keys_of_queries,
                "query": query,
                "nearer": ranks.nearer,
                "tied": ranks.tied,
                "searched": ranks.correct,
            }
        )
        for query, keys_of_queries, ranks in (("image", keys, to_text), ("text", keys[image_of], to_image))
    ]
    return pd.concat(parts, ignore_index=True)


def rank(images: np.ndarray, texts: np.ndarray, image_of: np.ndarray) -> tuple[Ranks, Ranks]:
    """Rank the texts for each image, and the images for each text.

    Parameters
    ----------
    images, texts
        (n, r) and (m, r) float32, of 16-bit values.
    image_of
        (m,) ascending: the image of each text; each image has at least one.

    Returns
    -------
    Ranks of the images' queries (n,) and of the texts' queries (m,). Memory is that of ``IMAGES_AT_ONCE`` x m
    scores.
    """
    texts = texts.astype(np.float64).T
    own = np.empty(texts.shape[1], dtype=np.float32)
    for start in range(0, len(own), IMAGES_AT_ONCE * 64):
        part = slice(start, start + IMAGES_AT_ONCE * 64)
        own[part] = np.einsum("ir,ri->i", images[image_of[part]].astype(np.float64), texts[:, part])
    nearer, tied = np.zeros(len(own), dtype=np.int64), np.zeros(len(own), dtype=np.int64)
    by_image = []
    for start in range(0, len(images), IMAGES_AT_ONCE):
        scores = (images[start : start + IMAGES_AT_ONCE].astype(np.float64) @ texts).astype(np.float32)
        mine = np.flatnonzero((image_of >= start) & (image_of < start + len(scores)))
        scores[image_of[mine] - start, mine] = own[mine]  # one value per pair, whatever the order of its sum
        nearer += (scores > own).sum(axis=0)
        tied += (scores == own).sum(axis=0)
        by_image.append(_rank_texts(scores, image_of[mine] - start, own[mine]))
    to_text = Ranks(*(np.concatenate(part) for part in zip(*by_image, strict=True)))
    return to_text, Ranks(nearer, tied, np.ones_like(tied))


def _rank_texts(
    scores: np.ndarray, image_of: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each image: texts nearer than its nearest own text, texts as near, and its own among these."""
    starts = np.searchsorted(image_of, np.arange(len(scores)))
    best = np.maximum.reduceat(own, starts)
    correct = np.add.reduceat((own == best[image_of]).astype(np.int64), starts)
    return (scores > best[:, None]).sum(axis=1), (scores == best[:, None]).sum(axis=1), correct
