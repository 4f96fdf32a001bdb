"""The score of an image with its own text, in the two forms of FairCLIP and its reproduction.

L are the logits of a batch: exp(logit_scale) times the cosines of its n images (rows) and n texts (columns).
"""

from torch import Tensor


def pair_scores(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Return the diagonal L_ii, the score in the paper's mathematics, without computing the rest of L.

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
    """Return (L L)_ii = sum over j of L_ij L_ji, without the matrix product; (n, n) -> (n,).

    This is the score in the released code. It grows with the batch size, and with the square of the logits.
    """
    return (logits * logits.T).sum(dim=1)


def keep(scores: Tensor) -> Tensor:
    """Return scores as they are."""
    return scores


def divide_by_sum(scores: Tensor) -> Tensor:
    """Divide scores by their sum, as the released code does before it computes the distance."""
    return scores / scores.sum()


def standardise(scores: Tensor) -> Tensor:
    """Subtract the mean, divide by the standard deviation (ddof 1): an option of FairCLIP+; (n,), n >= 2."""
    return (scores - scores.mean()) / scores.std()
