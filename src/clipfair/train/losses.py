"""Contrastive losses over the global batch, by name.

Each takes the features of this process and of all; its mean over the processes is the loss of the
global batch, so the gradients that DDP averages are those of one process with all of it.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

# loss(images, texts, all_images, all_texts, scale, bias, first): features of unit length, (n, r) here and
# (N, r) everywhere; scale the factor of the cosines; first the place of this process's first example.
Loss = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | None, int], Tensor]


def softmax_loss(
    images: Tensor,
    texts: Tensor,
    all_images: Tensor,
    all_texts: Tensor,
    scale: Tensor,
    bias: Tensor | None,
    first: int,
) -> Tensor:
    """Half the cross-entropy of each image's text among all texts, half that of each text's image.

    CLIP's: (CE over rows + CE over columns) / 2 of the logits scale * images texts'.
    """
    target = torch.arange(first, first + len(images), device=images.device)
    by_image = functional.cross_entropy(scale * images @ all_texts.T, target)
    by_text = functional.cross_entropy(scale * texts @ all_images.T, target)
    return (by_image + by_text) / 2


def sigmoid_loss(
    images: Tensor,
    texts: Tensor,
    all_images: Tensor,
    all_texts: Tensor,
    scale: Tensor,
    bias: Tensor | None,
    first: int,
) -> Tensor:
    """SigLIP's: - mean over i of the sum over j of log sigmoid(y_ij (scale <image_i, text_j> + bias)).

    y is 1 for a pair, -1 for all others.
    """
    sign = -torch.ones((len(images), len(all_texts)), device=images.device)
    sign[torch.arange(len(images)), torch.arange(first, first + len(images))] = 1
    return -functional.logsigmoid(sign * (scale * images @ all_texts.T + bias)).sum(dim=1).mean()


LOSSES: Mapping[str, Loss] = {"softmax": softmax_loss, "sigmoid": sigmoid_loss}
