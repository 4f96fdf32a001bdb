"""The objective of pretraining: a contrastive loss over the global batch, also in parts.

In parts (gradient accumulation) all features are computed first, without their graphs; the loss of the
whole batch gives their gradients; then each part is computed again and these are handed back through it.
The gradient is that of the whole batch, and only one part's graph is held at once.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.core.schema import unknown
from clipfair.train.losses import LOSSES
from clipfair.train.protocols import Batch, Place


@dataclass(frozen=True)
class Handed:
    """The gradients of the global loss: of one part's features, and of the temperature and bias."""

    images: Tensor
    texts: Tensor
    scale: Tensor
    bias: Tensor | None


class Contrastive:
    """A contrastive loss over all processes.

    Parameters
    ----------
    loss
        A name of :data:`clipfair.train.losses.LOSSES`.
    temperature
        The factor of the cosines to start from, t = exp(logit_scale); None keeps the model's.
    bias
        The bias of the logits to start from; None for none.
    place
        Which of the processes this is.
    """

    def __init__(self, *, loss: str, temperature: float | None, bias: float | None, place: Place):
        if loss not in LOSSES:
            raise UserError(f"config.methods: {unknown('loss', loss, LOSSES)}")
        if (loss == "sigmoid") != (bias is not None):
            raise UserError(f"config.methods: loss {loss!r}: a bias belongs to sigmoid, which needs one")
        self.loss, self.temperature, self.bias, self.place = loss, temperature, bias, place

    def prepare(self, model: nn.Module) -> None:
        """Set the temperature and the bias; they are trained with the rest."""
        with torch.no_grad():
            if self.temperature is not None:
                model.logit_scale.fill_(math.log(self.temperature))
            if self.bias is not None:
                model.logit_bias = nn.Parameter(torch.full_like(model.logit_scale, self.bias))

    def parameters(self, model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        """All."""
        return model.named_parameters()

    def terms(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The loss of the global batch, if this process's part of it is ``batch``."""
        images, texts = embed(model, batch)
        return {"loss": self._global_loss(images, texts, model.logit_scale, model.logit_bias)}

    def hand_back(self, model: nn.Module, batches: Sequence[Batch]) -> tuple[dict[str, Tensor], list[Handed]]:
        """The terms of the parts together, and the gradients to hand back through each."""
        with torch.no_grad():
            features = [embed(model, batch) for batch in batches]
        images, texts = (torch.cat(parts).requires_grad_() for parts in zip(*features, strict=True))
        scale, bias = _leaf(model.logit_scale), _leaf(model.logit_bias)
        loss = self._global_loss(images, texts, scale, bias)
        loss.backward()
        sizes = [len(batch.images) for batch in batches]
        handed = [
            # The temperature and the bias are in every part's graph: once is enough.
            Handed(i, t, scale.grad / len(sizes), None if bias is None else bias.grad / len(sizes))
            for i, t in zip(images.grad.split(sizes), texts.grad.split(sizes), strict=True)
        ]
        return {"loss": loss.detach()}, handed

    def surrogate(self, model: nn.Module, batch: Batch, handed: Handed) -> Tensor:
        """What has the gradients that were handed back."""
        images, texts = embed(model, batch)
        total = (images * handed.images).sum() + (texts * handed.texts).sum()
        total = total + model.logit_scale * handed.scale
        return total if handed.bias is None else total + model.logit_bias * handed.bias

    def state_dict(self) -> dict:
        """Nothing: it draws nothing."""
        return {}

    def load_state_dict(self, state: Mapping) -> None:
        """Nothing."""

    def _global_loss(self, images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
        all_images, all_texts = gather(images, self.place), gather(texts, self.place)
        first = self.place.rank * len(images)
        # The features are float32 already; their products shall be, too.
        with torch.autocast(images.device.type, enabled=False):
            return LOSSES[self.loss](images, texts, all_images, all_texts, scale.exp(), bias, first)


def embed(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Features of unit length, (n, r) float32 each."""
    images, texts = model.encode_image(batch.images), model.encode_text(batch.texts)
    return functional.normalize(images.float(), dim=-1), functional.normalize(texts.float(), dim=-1)


def gather(features: Tensor, place: Place) -> Tensor:
    """Those of all processes in their order, (n * world, r); gradients go back to where they belong."""
    return features if place.world == 1 else _Gather.apply(features, place)


class _Gather(torch.autograd.Function):
    """All processes' features; backward, a process gets what the losses of all say of its own."""

    @staticmethod
    def forward(context: FunctionCtx, features: Tensor, place: Place) -> Tensor:
        context.place = place
        parts = [torch.empty_like(features) for _ in range(place.world)]
        torch.distributed.all_gather(parts, features.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.contiguous()
        torch.distributed.all_reduce(gradient)
        return gradient.chunk(context.place.world)[context.place.rank], None


def _leaf(parameter: Tensor | None) -> Tensor | None:
    return None if parameter is None else parameter.detach().clone().requires_grad_()
