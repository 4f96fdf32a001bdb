"""Embeddings of images and texts by the two towers of a model.

torch is imported inside functions because importing it takes seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clipfair.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

IMAGES_AT_ONCE, TEXTS_AT_ONCE = 256, 1024


def encode_images(
    model: Any, pixels: "Tensor", *, normalise: Callable[["Tensor"], "Tensor"], device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and pre-logits, in one pass.

    Parameters
    ----------
    model
        An open_clip model in evaluation mode on ``device``.
    pixels
        (n, 3, H, W) uint8.
    normalise
        Pixels in [0, 255] -> the model's input.

    Returns
    -------
    (n, r) float32 of unit length; (n, d) float32, the input of the tower's head, (n, 0) if it has none.

    Raises
    ------
    UserError
        If the model has no image tower.
    """
    import torch

    from clipfair.models.placement import to_device

    visual = getattr(model, "visual", None)
    if visual is None:
        raise UserError("the model has no image tower, which every evaluation needs; choose another model")
    with torch.inference_mode():
        batches = (to_device(batch, device) for batch in pixels.split(IMAGES_AT_ONCE))
        parts = [_encode_batch(visual, normalise(batch)) for batch in batches]
    images, features = (torch.cat(part).float().cpu().numpy() for part in zip(*parts, strict=True))
    return images, features


def _encode_batch(visual: Any, pixels: "Tensor") -> tuple["Tensor", "Tensor"]:
    import torch

    if hasattr(visual, "trunk") and hasattr(visual, "head"):  # open_clip's wrapper of timm
        features = visual.trunk(pixels)
        images = visual.head(features)
    elif isinstance(getattr(visual, "proj", None), torch.nn.Parameter):
        images, features = _encode_with_projection(visual, pixels)
    elif isinstance(getattr(getattr(visual, "attnpool", None), "c_proj", None), torch.nn.Linear):
        images, features = _encode_with_attention_pool(visual, pixels)
    else:
        images = visual(pixels)
        features = images[:, :0]
    return torch.nn.functional.normalize(images, dim=-1), features


def _encode_with_projection(visual: Any, pixels: "Tensor") -> tuple["Tensor", "Tensor"]:
    """Run the tower without its projection and then apply it: one pass gives both."""
    projection = visual.proj
    visual.proj = None
    try:
        features = visual(pixels)
    finally:
        visual.proj = projection
    return features @ projection, features


def _encode_with_attention_pool(visual: Any, pixels: "Tensor") -> tuple["Tensor", "Tensor"]:
    """The same for CLIP's ResNets, whose head is the output projection of their attention pooling."""
    from torch import nn

    pool, projection = visual.attnpool, visual.attnpool.c_proj
    like = {"device": projection.weight.device, "dtype": projection.weight.dtype}
    pool.c_proj = nn.Linear(projection.in_features, projection.in_features, **like)
    nn.init.eye_(pool.c_proj.weight)
    nn.init.zeros_(pool.c_proj.bias)
    try:
        features = visual(pixels)
    finally:
        pool.c_proj = projection
    return projection(features), features


@dataclass(frozen=True)
class Sentences:
    """Tokenised sentences; the average of one or several is one embedding.

    Attributes
    ----------
    tokens : (m, length), of distinct sentences.
    members : rows of ``tokens``: the sentences of the first embedding, then those of the second, ...
    starts : (k,) the position in ``members`` at which each embedding's sentences start.
    """

    tokens: "Tensor"
    members: np.ndarray
    starts: np.ndarray


def tokenise(tokenizer: Callable[[list[str]], "Tensor"], sentences: Sequence[Sequence[str]]) -> Sentences:
    """Tokenise the ``sentences`` of k embeddings, each distinct sentence once."""
    places: dict[str, int] = {}
    members = [places.setdefault(text, len(places)) for several in sentences for text in several]
    starts = np.cumsum([0, *(len(several) for several in sentences)])[:-1]
    return Sentences(tokenizer(list(places)), np.array(members), starts)


def encode_texts(model: Any, sentences: Sentences, *, device: str) -> np.ndarray:
    """One embedding of unit length for each entry: of its sentence, or the normalised mean of its sentences.

    Returns
    -------
    (k, r) float32.

    Raises
    ------
    UserError
        If the model has no text tower.
    """
    import torch

    from clipfair.models.placement import to_device

    if not hasattr(model, "encode_text"):
        raise UserError("the model has no text tower, which this evaluation needs; choose another model")
    with torch.inference_mode():
        parts = [
            model.encode_text(to_device(tokens, device), normalize=True)
            for tokens in sentences.tokens.split(TEXTS_AT_ONCE)
        ]
    embeddings = torch.cat(parts).float().cpu().numpy()
    sums = np.add.reduceat(embeddings[sentences.members], sentences.starts, axis=0)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-8)


def temperature(model: Any) -> tuple[float, float]:
    """exp(logit_scale), and the additive bias of the sigmoid loss (0 without one)."""
    bias = getattr(model, "logit_bias", None)
    return float(model.logit_scale.detach().exp()), 0.0 if bias is None else float(bias.detach())
