"""CLIP's loss."""

from torch import Tensor

from clipfair.train.cross_entropy import symmetric_cross_entropy


def loss(
    images: Tensor,
    texts: Tensor,
    all_images: Tensor,
    all_texts: Tensor,
    scale: Tensor,
    bias: Tensor | None,
    first: int,
) -> Tensor:
    """Return the symmetric cross-entropy of the logits scale * images texts'."""
    logits, text_logits = scale * images @ all_texts.T, scale * texts @ all_images.T
    return symmetric_cross_entropy(logits, text_logits, first=first)
