"""The interface of encoders, and the batches in which they encode."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch


class Encoder(Protocol):
    """An encoder of images and texts into one space.

    The inner product of an image and a text embedding is their cosine similarity, in [-1, 1].
    """

    @property
    def batch_size(self) -> int:
        """The number of examples that are encoded at once."""

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Embeddings, (n, d) float32."""

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings of unit length, (n, d) float32."""


def encode_in_batches(
    items: Sequence, encode: Callable[[Sequence], "torch.Tensor"], batch_size: int
) -> np.ndarray:
    """Encode all items, ``batch_size`` at a time; float32."""
    import torch

    with torch.inference_mode():
        return np.concatenate(
            [
                encode(items[start : start + batch_size]).float().cpu().numpy()
                for start in range(0, len(items), batch_size)
            ]
        )
