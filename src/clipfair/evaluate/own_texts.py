"""Scores of an image with its own text, in the two forms of FairCLIP and its reproduction.

With L the logits of images and their own texts: the diagonal of L, and, as in the released evaluation, the
diagonal of L L.
"""

import numpy as np

from clipfair.core.errors import UserError
from clipfair.evaluate.protocol import Embedded

BATCH = 32  # of the released evaluation: the score diag(L L) depends on it


def own_text_scores(embedded: Embedded) -> np.ndarray:
    """exp(logit_scale) * cos(image, its own text): (n,) float32.

    Raises
    ------
    UserError
        If a test example does not have exactly one text.
    """
    images, texts = _own_pairs(embedded)
    cosines = np.einsum("nr,nr->n", images, texts)
    return (embedded.scale * cosines + embedded.bias).astype(np.float32)


def square_scores(embedded: Embedded) -> np.ndarray:
    """The diagonal of L L, with L the logits of each batch of 32 images and their own texts: (n,) float32.

    Raises
    ------
    UserError
        If a test example does not have exactly one text.
    """
    parts = []
    for images, texts in zip(*(_batches(rows) for rows in _own_pairs(embedded)), strict=True):
        logits = embedded.scale * images @ texts.T + embedded.bias
        parts.append((logits * logits.T).sum(axis=1))
    return np.concatenate(parts).astype(np.float32)


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


def _own_pairs(embedded: Embedded) -> tuple[np.ndarray, np.ndarray]:
    """Test images and their own texts, (n, r) float64 each."""
    images, texts = embedded.test.images, embedded.texts.get("captions")
    if texts is None or len(texts) != len(images):
        found = "no captions" if texts is None else f"{len(texts)} for {len(images)} examples"
        raise UserError(
            f"distances need one text of each example's own, found {found}; set captions: all in the "
            "configuration, and use a dataset with one caption per example"
        )
    return images.astype(np.float64), texts.astype(np.float64)
