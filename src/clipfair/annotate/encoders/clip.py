"""An encoder of images and captions that is a CLIP model of the catalogue.

Torch is imported inside functions only, since importing it takes seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from clipfair.annotate.encoders.interface import encode_in_batches

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ClipEncoder:
    """A CLIP model with its preprocessing and tokenizer.

    The model must be in evaluation mode and on ``device``. ``batch_size`` examples are encoded at once.
    """

    model: "torch.nn.Module"
    preprocess: Callable[[Image.Image], "torch.Tensor"]
    tokenizer: Callable[[list[str]], "torch.Tensor"]
    batch_size: int = 256
    device: str = "cpu"

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Return embeddings of unit length, (n, d) float32."""
        import torch

        return encode_in_batches(
            images,
            lambda batch: self.model.encode_image(
                torch.stack([self.preprocess(image) for image in batch]).to(self.device), normalize=True
            ),
            self.batch_size,
        )

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return embeddings of unit length, (n, d) float32."""
        return encode_in_batches(
            texts,
            lambda batch: self.model.encode_text(self.tokenizer(list(batch)).to(self.device), normalize=True),
            self.batch_size,
        )


def load_encoder(settings: Mapping[str, Any], weights: str | Path | None) -> ClipEncoder:
    """Load a model of the catalogue with the weights of a local file.

    Parameters
    ----------
    settings
        ``model``, its entry in the catalogue. Optional: ``batch_size``; ``device``, a name of torch (``cpu``,
        ``cuda``) or ``auto``: a GPU if there is one.
    weights
        As for :func:`clipfair.models.build.build`. Without weights the model has fixed random ones.
    """
    import torch

    from clipfair.models.build import build

    device = settings.get("device", "cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    built = build(settings["model"], None if weights is None else str(weights), seed=0)
    return ClipEncoder(
        built.model.eval().to(device),
        built.preprocess,
        built.tokenizer,
        settings.get("batch_size", 256),
        device,
    )
