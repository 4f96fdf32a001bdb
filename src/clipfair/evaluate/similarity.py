"""Logits and probabilities of images and texts.

Embeddings are kept as 16-bit floats. The product of two is exact in double precision and its sums err
by 1e-16, so that rounded to single precision equal pairs have equal values, in whatever order a library
adds: ties are ties.
"""

import numpy as np


def cosines(images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """<image, text>; (n, k) float32."""
    return (images.astype(np.float64) @ texts.astype(np.float64).T).astype(np.float32)


def probabilities(images: np.ndarray, texts: np.ndarray, *, scale: float) -> np.ndarray:
    """Softmax over the texts of ``scale * <image, text>`` (section 2 of CLIP the Bias); (n, k) float64.

    An additive bias of all logits cancels.
    """
    logits = scale * cosines(images, texts).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)
