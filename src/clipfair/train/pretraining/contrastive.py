"""The objective of pretraining: a contrastive loss over the global batch, also with gradient accumulation.

With accumulation (gradient caching, Gao et al. 2021) the features of all parts are computed first, without
their graphs. The loss of the whole batch gives the gradients of the features. Then each part is computed
again, and its cached gradients are propagated through it. The result is the gradient of the whole batch, and
only one part's graph is in memory at a time.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.train.interfaces import Batch, Process
from clipfair.train.losses import find_loss


@dataclass(frozen=True)
class CachedGradients:
    """The gradients of the global loss: of one part's features, of the temperature and of the bias."""

    images: Tensor
    texts: Tensor
    scale: Tensor
    bias: Tensor | None


class ContrastiveObjective:
    """A contrastive loss over all processes.

    Parameters
    ----------
    loss
        A module of :mod:`clipfair.train.losses`, or ``module:function``.
    temperature
        The initial factor of the cosines, exp(logit_scale); None keeps the model's.
    bias
        The initial bias of the logits; None for no bias.
    process
        The rank of this process among all.

    Raises
    ------
    UserError
        If there is no such loss, or a bias is given to softmax or not given to sigmoid.
    """

    def __init__(self, *, loss: str, temperature: float | None, bias: float | None, process: Process):
        self.loss = find_loss(loss)
        if loss in ("softmax", "sigmoid") and (loss == "sigmoid") != (bias is not None):
            raise UserError(f"methods.yaml: loss {loss!r}: sigmoid needs a bias, softmax takes none")
        self.temperature, self.bias, self.process = temperature, bias, process

    def prepare(self, model: nn.Module) -> None:
        """Set the initial temperature and bias; both are trained with the other parameters."""
        with torch.no_grad():
            if self.temperature is not None:
                model.logit_scale.fill_(math.log(self.temperature))
            if self.bias is not None:
                model.logit_bias = nn.Parameter(torch.full_like(model.logit_scale, self.bias))

    def parameters(self, model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        """Return all parameters."""
        return model.named_parameters()

    def after_update(self, model: nn.Module) -> None:
        """Do nothing: the optimiser's weights are kept."""

    def terms(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of the global batch, of which ``batch`` is this process's share."""
        images, texts = embed(model, batch)
        return {"loss": self._global_loss(images, texts, model.logit_scale, model.logit_bias)}

    def cache_gradients(
        self, model: nn.Module, batches: Sequence[Batch]
    ) -> tuple[dict[str, Tensor], list[CachedGradients]]:
        """Return the terms of all parts together, and the gradients to propagate through each part."""
        with torch.no_grad():
            features = [embed(model, batch) for batch in batches]
        images, texts = (torch.cat(parts).requires_grad_() for parts in zip(*features, strict=True))
        scale, bias = _leaf(model.logit_scale), _leaf(model.logit_bias)
        loss = self._global_loss(images, texts, scale, bias)
        loss.backward()
        sizes = [len(batch.images) for batch in batches]
        cached = [
            # Temperature and bias are in the graph of every part, so each part gets its share.
            CachedGradients(
                of_images, of_texts, scale.grad / len(sizes), None if bias is None else bias.grad / len(sizes)
            )
            for of_images, of_texts in zip(images.grad.split(sizes), texts.grad.split(sizes), strict=True)
        ]
        return {"loss": loss.detach()}, cached

    def surrogate_loss(self, model: nn.Module, batch: Batch, cached: CachedGradients) -> Tensor:
        """Return a scalar whose gradients are the cached ones, propagated to the parameters."""
        images, texts = embed(model, batch)
        total = (images * cached.images).sum() + (texts * cached.texts).sum()
        total = total + model.logit_scale * cached.scale
        return total if cached.bias is None else total + model.logit_bias * cached.bias

    def state_dict(self) -> dict:
        """Return an empty state: the objective draws no random numbers."""
        return {}

    def load_state_dict(self, state: Mapping) -> None:
        """Do nothing."""

    def _global_loss(self, images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
        all_images, all_texts = gather(images, self.process), gather(texts, self.process)
        first = self.process.rank * len(images)
        # The features are float32; the logits must be float32, too, also under autocast.
        with torch.autocast(images.device.type, enabled=False):
            return self.loss(images, texts, all_images, all_texts, scale.exp(), bias, first)


def embed(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return image and text features of unit length, (n, r) float32 each."""
    images, texts = model.encode_image(batch.images), model.encode_text(batch.texts)
    return functional.normalize(images.float(), dim=-1), functional.normalize(texts.float(), dim=-1)


def gather(features: Tensor, process: Process) -> Tensor:
    """Concatenate the features of all processes by rank, (n * world, r), with gradients to each process."""
    return features if process.world == 1 else _Gather.apply(features, process)


class _Gather(torch.autograd.Function):
    """All-gather of features; backward sums the gradients of a process's features over all processes."""

    @staticmethod
    def forward(context: FunctionCtx, features: Tensor, process: Process) -> Tensor:
        context.process = process
        parts = [torch.empty_like(features) for _ in range(process.world)]
        torch.distributed.all_gather(parts, features.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.contiguous()
        torch.distributed.all_reduce(gradient)
        return gradient.chunk(context.process.world)[context.process.rank], None


def _leaf(parameter: Tensor | None) -> Tensor | None:
    return None if parameter is None else parameter.detach().clone().requires_grad_()
