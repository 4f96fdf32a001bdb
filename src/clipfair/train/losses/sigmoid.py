"""SigLIP's loss."""

import torch
from torch import Tensor
from torch.nn import functional


def loss(
    images: Tensor,
    texts: Tensor,
    all_images: Tensor,
    all_texts: Tensor,
    scale: Tensor,
    bias: Tensor | None,
    first: int,
) -> Tensor:
    """Return - mean over i of the sum over j of log sigmoid(y_ij (scale <image_i, text_j> + bias)).

    y is 1 for a pair, -1 for all others.
    """
    sign = -torch.ones((len(images), len(all_texts)), device=images.device)
    sign[torch.arange(len(images)), torch.arange(first, first + len(images))] = 1
    return -functional.logsigmoid(sign * (scale * images @ all_texts.T + bias)).sum(dim=1).mean()
