"""The two towers of a model: what each gives for images and texts.

torch is imported where it computes, since importing it takes seconds.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clipfair.console import UserError

if TYPE_CHECKING:
    import torch

IMAGES_AT_ONCE, TEXTS_AT_ONCE = 256, 1024


def encode_images(model: Any, pixels: "torch.Tensor", *, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and pre-logits, in one pass.

    Parameters
    ----------
    model
        An open_clip model in evaluation mode on ``device``.
    pixels
        (n, 3, H, W) float32, prepared.

    Returns
    -------
    (n, r) float32 of unit length; (n, d) float32, what the tower's head projects, (n, 0) if it has none.

    Raises
    ------
    UserError
        If the model has no image tower.
    """
    import torch

    visual = getattr(model, "visual", None)
    if visual is None:
        raise UserError("the model has no image tower, which every evaluation needs; choose another model")
    with torch.inference_mode():
        parts = [_see(visual, batch.to(device)) for batch in pixels.split(IMAGES_AT_ONCE)]
    images, features = (torch.cat(part).float().cpu().numpy() for part in zip(*parts, strict=True))
    return images, features


def _see(visual: Any, pixels: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    import torch

    if hasattr(visual, "trunk") and hasattr(visual, "head"):  # open_clip's wrapper of timm
        features = visual.trunk(pixels)
        images = visual.head(features)
    elif isinstance(getattr(visual, "proj", None), torch.nn.Parameter):
        images, features = _see_less_projection(visual, pixels)
    else:
        images = visual(pixels)
        features = images[:, :0]
    return torch.nn.functional.normalize(images, dim=-1), features


def _see_less_projection(visual: Any, pixels: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    """The tower without its projection, which is then applied: one pass instead of two."""
    projection = visual.proj
    visual.proj = None
    try:
        features = visual(pixels)
    finally:
        visual.proj = projection
    return features @ projection, features


def encode_texts(
    model: Any, tokenizer: Any, sentences: Sequence[Sequence[str]], *, device: str
) -> np.ndarray:
    """One embedding for each of ``sentences``: of a sentence, or the mean over several, of unit length.

    Returns
    -------
    (k, r) float32.

    Raises
    ------
    UserError
        If the model has no text tower.
    """
    import torch

    if not hasattr(model, "encode_text"):
        raise UserError("the model has no text tower, which this evaluation needs; choose another model")
    flat = list(dict.fromkeys(text for texts in sentences for text in texts))
    with torch.inference_mode():
        parts = [
            model.encode_text(tokenizer(flat[start : start + TEXTS_AT_ONCE]).to(device), normalize=True)
            for start in range(0, len(flat), TEXTS_AT_ONCE)
        ]
    return _average(torch.cat(parts).float().cpu().numpy(), flat, sentences)


def _average(embeddings: np.ndarray, texts: Sequence[str], sentences: Sequence[Sequence[str]]) -> np.ndarray:
    """The mean of the embeddings of each of ``sentences``, at unit length again, as in big_vision."""
    place_of = {text: place for place, text in enumerate(texts)}
    members = [place_of[text] for several in sentences for text in several]
    starts = np.cumsum([0, *(len(several) for several in sentences)])[:-1]
    sums = np.add.reduceat(embeddings[members], starts, axis=0)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-8)


def temperature(model: Any) -> tuple[float, float]:
    """exp(logit_scale), and the sigmoid loss's bias (0 without)."""
    bias = getattr(model, "logit_bias", None)
    return float(model.logit_scale.exp()), 0.0 if bias is None else float(bias)
