"""The cross-entropy of image-text pairs, in both directions."""

import torch
from torch import Tensor
from torch.nn import functional


def symmetric_cross_entropy(
    logits: Tensor, text_logits: Tensor | None = None, *, first: int = 0, label_smoothing: float = 0.0
) -> Tensor:
    """Return the mean of the cross-entropies of images among texts and of texts among images.

    Parameters
    ----------
    logits
        (n, N), rows are images and columns texts.
    text_logits
        (n, N), rows are texts and columns images; None for the transpose of ``logits``.
    first
        The column of the first row's pair; the pair of row i is column ``first`` + i.
    """
    target = torch.arange(first, first + len(logits), device=logits.device)
    by_image = functional.cross_entropy(logits, target, label_smoothing=label_smoothing)
    # Transposed only here: the order of operations decides the order in which autograd adds gradients, and so
    # their last bits.
    text_logits = logits.T if text_logits is None else text_logits
    by_text = functional.cross_entropy(text_logits, target, label_smoothing=label_smoothing)
    return (by_image + by_text) / 2


def pair_cross_entropies(logits: Tensor) -> Tensor:
    """Return the two cross-entropies of each pair, averaged; (n,), whose mean is that of all pairs.

    ``logits`` (n, n): rows are images, columns their texts in the same order.
    """
    by_image = logits.log_softmax(dim=1).diagonal()
    by_text = logits.log_softmax(dim=0).diagonal()
    return -(by_image + by_text) / 2
