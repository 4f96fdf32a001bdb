"""Retrieval of texts by images and of images by texts (section 4.4): recall at 1, 5 and 10.

Settings: ``captions``. Every caption of a test image is searched for and searches: its image among all
images, an image any of its captions among all captions.

Equally near candidates come in no order, so what counts is the chance of a hit if they are shuffled: a
model that gives every pair the same score recalls k in n, not all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clipfair.evaluate.protocol import Embedded, Result, row
from clipfair.metrics.bootstrap import interval, means

AT = (1, 5, 10)
IMAGES_AT_ONCE = 256


@dataclass(frozen=True)
class Ranks:
    """Where each query finds the nearest of what it searches.

    Attributes
    ----------
    nearer : (n,) how many wrong candidates are nearer.
    tied : (n,) how many candidates are equally near, those searched among them.
    searched : (n,) how many of the tied are searched for, at least 1.
    """

    nearer: np.ndarray
    tied: np.ndarray
    searched: np.ndarray

    def recall(self, k: int) -> np.ndarray:
        """The chance that one searched for is among the first ``k``, ties shuffled; (n,)."""
        places = np.clip(k - self.nearer, 0, self.tied)
        missed = np.ones(len(places))
        for place in range(k):  # none of the places taken by one searched for
            left = np.maximum(self.tied - self.searched - place, 0) / np.maximum(self.tied - place, 1)
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
    rows = []
    for k in AT:
        found = to_image.recall(k)
        hits = np.bincount(image_of, weights=found, minlength=len(table))
        resampled = means(np.column_stack([to_text.recall(k), hits, captions]), rng)
        between = interval(resampled[:, 0])
        rows.append(
            row(f"image_to_text_recall_{k}", to_text.recall(k).mean(), n=len(table), interval=between)
        )
        between = interval(resampled[:, 1] / resampled[:, 2])
        rows.append(row(f"text_to_image_recall_{k}", found.mean(), n=len(image_of), interval=between))
    return Result(rows, _scores(table["key"].to_numpy(), image_of, to_text, to_image))


def _scores(keys: np.ndarray, image_of: np.ndarray, to_text: Ranks, to_image: Ranks) -> pd.DataFrame:
    """One row a query: images first, then captions by image."""
    parts = [
        pd.DataFrame({"key": found, "query": query, "nearer": ranks.nearer, "tied": ranks.tied}).assign(
            searched=ranks.searched
        )
        for query, found, ranks in (("image", keys, to_text), ("text", keys[image_of], to_image))
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
    Ranks of the images' searches (n), and of the texts' (m). Memory is that of ``IMAGES_AT_ONCE`` x m scores.
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
        scores[image_of[mine] - start, mine] = own[mine]  # the same value, however it was summed
        nearer += (scores > own).sum(axis=0)
        tied += (scores == own).sum(axis=0)
        by_image.append(_rank_texts(scores, image_of[mine] - start, own[mine]))
    to_text = Ranks(*(np.concatenate(part) for part in zip(*by_image, strict=True)))
    return to_text, Ranks(nearer, tied, np.ones_like(tied))


def _rank_texts(
    scores: np.ndarray, image_of: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each image: texts nearer than its nearest own, as near, and its own among these."""
    starts = np.searchsorted(image_of, np.arange(len(scores)))
    best = np.maximum.reduceat(own, starts)
    searched = np.add.reduceat((own == best[image_of]).astype(np.int64), starts)
    return (scores > best[:, None]).sum(axis=1), (scores == best[:, None]).sum(axis=1), searched
