"""Contrastive losses over the global batch, by name.

A loss gets the features of this process and of all processes. Its mean over the processes is the loss of the
global batch, so the gradients that DDP averages are those of one process with the whole batch.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.core.functions import load_function
from clipfair.core.schema import unknown

# loss(images, texts, all_images, all_texts, scale, bias, first): features of unit length, (n, r) of this
# process and (N, r) of all; scale, the factor of the cosines, exp(logit_scale); bias, added to the logits, or
# None; first, the row of this process's first example among all.
Loss = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | None, int], Tensor]


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


def softmax_loss(
    images: Tensor,
    texts: Tensor,
    all_images: Tensor,
    all_texts: Tensor,
    scale: Tensor,
    bias: Tensor | None,
    first: int,
) -> Tensor:
    """CLIP's loss: the symmetric cross-entropy of the logits scale * images texts'."""
    logits, text_logits = scale * images @ all_texts.T, scale * texts @ all_images.T
    return symmetric_cross_entropy(logits, text_logits, first=first)


def sigmoid_loss(
    images: Tensor,
    texts: Tensor,
    all_images: Tensor,
    all_texts: Tensor,
    scale: Tensor,
    bias: Tensor | None,
    first: int,
) -> Tensor:
    """SigLIP's loss: - mean over i of the sum over j of log sigmoid(y_ij (scale <image_i, text_j> + bias)).

    y is 1 for a pair, -1 for all others.
    """
    sign = -torch.ones((len(images), len(all_texts)), device=images.device)
    sign[torch.arange(len(images)), torch.arange(first, first + len(images))] = 1
    return -functional.logsigmoid(sign * (scale * images @ all_texts.T + bias)).sum(dim=1).mean()


LOSSES: Mapping[str, Loss] = {"softmax": softmax_loss, "sigmoid": sigmoid_loss}


def find_loss(name: str) -> Loss:
    """Return the loss of a method: a name of :data:`LOSSES`, or ``module:function``.

    Raises
    ------
    UserError
        If there is no such loss.
    """
    if ":" in name:
        return load_function(name, where="config.methods: loss")
    if name not in LOSSES:
        raise UserError(f"config.methods: {unknown('loss', name, LOSSES)}, or module:function of your own")
    return LOSSES[name]
