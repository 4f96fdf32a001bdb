"""What every kind of model provides: two towers, a tokenizer, and how an image is prepared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from clipfair.models import tokenizers

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Built:
    """A model, and what its inputs are made with.

    Attributes
    ----------
    model : has ``visual``, ``encode_image``, ``encode_text``, ``logit_scale`` and ``logit_bias`` (or None).
    tokenizer : texts to (n, length) int64.
    preprocess : a picture to (3, size, size) float32; the same for training, since neither paper augments.
    size, crop : pictures have this many pixels to a side; cut out of their middle, or squashed.
    normalise : (n, 3, H, W) in [0, 255], resized, to what the model is given.
    resize : a picture to RGB of size x size.
    """

    model: nn.Module
    tokenizer: tokenizers.Tokenizer
    preprocess: Callable[["Image"], Tensor]
    resize: Callable[["Image"], "Image"]
    normalise: Callable[[Tensor], Tensor]
    size: int
    crop: bool


def pixels_of(image: "Image") -> Tensor:
    """An RGB picture as (3, H, W) uint8."""
    import numpy as np

    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
