"""One step of the released FairCLIP code, written from its description.

Whole similarity matrices are multiplied for their diagonals, every group has a forward pass and a call of
geomloss of its own.
"""

from collections.abc import Mapping, Sequence

import torch
from geomloss import SamplesLoss
from torch import Tensor, nn
from torch.nn import functional

Pairs = tuple[Tensor, Tensor]  # images (n, 3, H, W), prepared; texts (n, length)


def released_loss(
    model: nn.Module,
    batch: Pairs,
    groups: Sequence[Pairs],
    *,
    lam: float,
    sinkhorn: Mapping,
    square: bool = True,
    divide_batch: bool = False,
    divide_group: bool = True,
) -> Tensor:
    """The contrastive loss plus ``lam`` times the sum of every group's distance.

    Parameters
    ----------
    sinkhorn
        Arguments of geomloss's ``SamplesLoss``.
    square
        True takes the diagonal of L L as scores, False that of L.
    divide_batch, divide_group
        True divides the scores by their sum.
    """
    distance = SamplesLoss("sinkhorn", backend="tensorized", **sinkhorn)
    per_image, per_text = _logits(model, batch)
    target = torch.arange(len(per_image), device=per_image.device)
    loss = (functional.cross_entropy(per_image, target) + functional.cross_entropy(per_text, target)) / 2
    ours = _scores(per_image, per_text, square=square, divide=divide_batch)
    total = 0
    for group in groups:
        with torch.no_grad():
            theirs = _scores(*_logits(model, group), square=square, divide=divide_group)
        total = total + distance(ours[:, None], theirs[:, None])
    return loss + lam * total


def _logits(model: nn.Module, pairs: Pairs) -> tuple[Tensor, Tensor]:
    images = functional.normalize(model.encode_image(pairs[0]), dim=-1)
    texts = functional.normalize(model.encode_text(pairs[1]), dim=-1)
    per_image = model.logit_scale.exp() * images @ texts.T
    return per_image, per_image.T


def _scores(per_image: Tensor, per_text: Tensor, *, square: bool, divide: bool) -> Tensor:
    matrix = per_image @ per_text.T if square else per_image
    scores = matrix.diag().float()
    return scores / scores.sum() if divide else scores
