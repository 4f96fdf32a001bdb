"""The interface of every kind of model: two towers, a tokenizer, and the preparation of images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from clipfair.models import tokenizers
from clipfair.models.resizing import ResizeMethod

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class BuiltModel:
    """A model with the functions that prepare its inputs.

    Attributes
    ----------
    model : has ``visual``, ``encode_image``, ``encode_text``, ``logit_scale`` and ``logit_bias`` (or None).
    tokenizer : texts to (n, length) int64.
    preprocess : an image to (3, size, size) float32, without augmentation.
    resize : an image to RGB of size x size.
    normalise : resized images (n, 3, size, size) in [0, 255] to the input of the model, float32.
    size : the side of an input image, pixels.
    resizing : the method of ``resize``, for :func:`clipfair.models.resizing.make_resize`.
    """

    model: nn.Module
    tokenizer: tokenizers.Tokenizer
    preprocess: Callable[["Image"], Tensor]
    resize: Callable[["Image"], "Image"]
    normalise: Callable[[Tensor], Tensor]
    size: int
    resizing: ResizeMethod


def pixels_of(image: "Image") -> Tensor:
    """Return an RGB image as (3, H, W) uint8."""
    import numpy as np

    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
