"""Logits and probabilities of images and texts.

Embeddings are stored as 16-bit floats. The product of two is exact in double precision, and a sum of
products has an error of about 1e-16. Rounded to single precision, equal pairs therefore have equal values in
whatever order a library adds, so ties are preserved.
"""

import numpy as np


def cosines(images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """The products of images (n, r) and texts (k, r) of unit length; (n, k) float32."""
    return (images.astype(np.float64) @ texts.astype(np.float64).T).astype(np.float32)


def probabilities(images: np.ndarray, texts: np.ndarray, *, scale: float) -> np.ndarray:
    """Softmax over the texts of ``scale * <image, text>`` (section 2 of CLIP the Bias); (n, k) float64.

    An additive bias of all logits cancels out.
    """
    logits = scale * cosines(images, texts).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)
