"""The score of an image with its own text, in both forms that FairCLIP and its reproduction have given it.

L are the logits of a batch: exp(logit_scale) times the cosines of its n images (rows) and n texts.
"""

from torch import Tensor


def pair_scores(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """L_ii (the paper's mathematics), without the rest of L.

    Parameters
    ----------
    images, texts
        (n, r) each, of unit length.
    scale
        exp(logit_scale).

    Returns
    -------
    (n,)
    """
    return scale * (images * texts).sum(dim=1)


def square_scores(logits: Tensor) -> Tensor:
    """(L L)_ii = sum over j of L_ij L_ji, without the product of the matrices; (n, n) -> (n,).

    The released code takes it for the score. It grows with the batch, and with the square of the logits.
    """
    return (logits * logits.T).sum(dim=1)


def normalise(scores: Tensor) -> Tensor:
    """Divided by their sum, as the released code does before it takes the distance."""
    return scores / scores.sum()
