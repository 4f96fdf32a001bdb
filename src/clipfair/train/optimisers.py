"""Optimisers by name: Adam, AdamW, and big_vision's variant of Adafactor.

They are written out, over all parameters at once, rather than torch's: those import torch's compiler,
which takes seconds. A test holds Adam and AdamW against them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from clipfair.core.errors import UserError
from clipfair.core.schema import unknown

# What flax calls a kernel is decayed: weights of linear layers and convolutions, projections.
_NOT_KERNELS = ("embedding", "words", "pos_embed", "cls", "latent")

Named = Sequence[tuple[str, nn.Parameter]]


class Optimiser(Protocol):
    """Updates parameters from their gradients; its state is of plain values and tensors."""

    def step(self, factor: float) -> None:
        """One update; ``factor`` is the schedule's."""

    def state_dict(self) -> dict:
        """All that it needs to go on."""

    def load_state_dict(self, state: Mapping) -> None:
        """Restore it."""


class Adam:
    """Adam (Kingma and Ba, 2015), with the weight decay in the gradient or beside it (AdamW).

    With g the gradient (plus weight_decay theta, if it is not ``decoupled``), t = 1, 2, ... the step:

        m     = beta1 m + (1 - beta1) g
        v     = beta2 v + (1 - beta2) g^2
        theta = theta - lr weight_decay theta                             if it is decoupled
        theta = theta - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)

    Decoupled decay is of kernels alone (:func:`is_kernel`), the other of all. A parameter without a
    gradient is left alone from the first step on.
    """

    def __init__(
        self,
        named: Named,
        *,
        rate: float,
        weight_decay: float,
        betas: Sequence[float],
        eps: float,
        decoupled: bool,
    ):
        self.parameters = [parameter for _, parameter in named]
        self.decayed = [p for name, p in named if is_kernel(name, p)] if decoupled else self.parameters
        self.rate, self.weight_decay, self.betas, self.eps = rate, weight_decay, tuple(betas), eps
        self.decoupled = decoupled
        self.steps = 0
        self.first = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.second = [torch.zeros_like(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """One update with the learning rate ``factor`` times the rate; the gradients are used up."""
        self.steps += 1
        rate = self.rate * factor
        live = [place for place, parameter in enumerate(self.parameters) if parameter.grad is not None]
        parameters, first, second = (
            [values[place] for place in live] for values in (self.parameters, self.first, self.second)
        )
        gradients = [parameter.grad for parameter in parameters]
        if self.decoupled and self.weight_decay:
            torch._foreach_mul_(self.decayed, 1 - rate * self.weight_decay)
        elif self.weight_decay:
            torch._foreach_add_(gradients, parameters, alpha=self.weight_decay)
        beta1, beta2 = self.betas
        torch._foreach_lerp_(first, gradients, 1 - beta1)
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, value=1 - beta2)
        scale = gradients  # read for the last time: their memory is free
        torch._foreach_copy_(scale, second)
        torch._foreach_sqrt_(scale)
        torch._foreach_div_(scale, (1 - beta2**self.steps) ** 0.5)
        torch._foreach_add_(scale, self.eps)
        torch._foreach_addcdiv_(parameters, first, scale, value=-rate / (1 - beta1**self.steps))

    def state_dict(self) -> dict:
        """Steps and both moments."""
        return {"steps": self.steps, "first": self.first, "second": self.second}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore them."""
        self.steps = state["steps"]
        _copy(state["first"], self.first)
        _copy(state["second"], self.second)


class Adafactor:
    """big_vision's Adafactor: factored second moments, momentum, no relative steps, no clipping of updates.

    With g the gradient and t = 0, 1, ... the step:

        beta_t = min(0.999, 1 - (t + 1)^-0.8)
        v      = beta_t v + (1 - beta_t) (g^2 + 1e-30)           or its two means, if it is factored
        u      = g / sqrt(v)                                     or g / sqrt(row col / mean(row))
        m      = 0.9 m + 0.1 u                                   kept in bfloat16, not debiased
        theta  = theta - factor (lr m + weight_decay theta)      the last term for kernels alone

    v is factored over the two largest dimensions if both are at least 32. The weight decay is not
    multiplied by the learning rate, only by the schedule's factor: 1e-4 here with a learning rate of
    1e-3 is 0.1 in AdamW.
    """

    def __init__(self, named: Named, *, rate: float, weight_decay: float):
        self.parameters = [parameter for _, parameter in named]
        self.decays = [weight_decay if is_kernel(name, parameter) else 0.0 for name, parameter in named]
        self.rate, self.steps = rate, 0
        self.moments = [_zero_moments(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """One update."""
        self.steps += 1
        beta = min(0.999, 1 - self.steps**-0.8)
        for parameter, decay, moments in zip(self.parameters, self.decays, self.moments, strict=True):
            if parameter.grad is not None:
                scaled = _scaled(parameter.grad.float(), moments, beta)
                momentum = 0.9 * moments["momentum"].float() + 0.1 * scaled
                moments["momentum"].copy_(momentum)
                parameter.sub_(self.rate * momentum + decay * parameter, alpha=factor)

    def state_dict(self) -> dict:
        """Steps and moments."""
        return {"steps": self.steps, "moments": self.moments}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore them."""
        self.steps = state["steps"]
        for mine, saved in zip(self.moments, state["moments"], strict=True):
            _copy([saved[name] for name in mine], list(mine.values()))


def _zero_moments(parameter: Tensor) -> dict[str, Tensor]:
    momentum = torch.zeros_like(parameter, dtype=torch.bfloat16)
    dimensions = _factored(parameter.shape)
    if dimensions is None:
        return {"momentum": momentum, "second": torch.zeros_like(parameter)}
    large, largest = dimensions
    rows = torch.zeros_like(parameter).mean(dim=largest, keepdim=True)
    columns = torch.zeros_like(parameter).mean(dim=large, keepdim=True)
    return {"momentum": momentum, "rows": rows, "columns": columns}


def _scaled(gradient: Tensor, moments: Mapping[str, Tensor], beta: float) -> Tensor:
    """The gradient over the root of its second moment, which is updated."""
    square = gradient.square() + 1e-30
    dimensions = _factored(gradient.shape)
    if dimensions is None:
        return gradient * moments["second"].lerp_(square, 1 - beta).rsqrt()
    large, largest = dimensions
    rows = moments["rows"].lerp_(square.mean(dim=largest, keepdim=True), 1 - beta)
    columns = moments["columns"].lerp_(square.mean(dim=large, keepdim=True), 1 - beta)
    return gradient * (rows / rows.mean(dim=large, keepdim=True)).rsqrt() * columns.rsqrt()


def _factored(shape: torch.Size) -> tuple[int, int] | None:
    """The second largest dimension and the largest, None if the second is too small."""
    order = sorted(range(len(shape)), key=lambda place: shape[place])
    if len(shape) < 2 or shape[order[-2]] < 32:
        return None
    return order[-2], order[-1]


def _copy(saved: Sequence[Tensor], mine: Sequence[Tensor]) -> None:
    for source, target in zip(saved, mine, strict=True):
        target.copy_(source)


OPTIMISERS = ("adafactor", "adamw", "adam")


def make_optimiser(recipe: Mapping, named: Iterable[tuple[str, nn.Parameter]]) -> Optimiser:
    """The optimiser of a recipe.

    ``optimiser``, ``learning_rate``, ``weight_decay``, and of Adam and AdamW ``betas`` and ``eps``.
    """
    name = recipe["optimiser"]
    if name not in OPTIMISERS:
        raise UserError(f"config.recipes: {unknown('optimiser', name, OPTIMISERS)}")
    common = {"rate": recipe["learning_rate"], "weight_decay": recipe.get("weight_decay", 0.0)}
    if name == "adafactor":
        return Adafactor(list(named), **common)
    return Adam(
        list(named),
        betas=recipe.get("betas", (0.9, 0.999)),
        eps=recipe.get("eps", 1e-8),
        decoupled=name == "adamw",
        **common,
    )


def is_kernel(name: str, parameter: Tensor) -> bool:
    """Whether a parameter is decayed: a matrix that is multiplied with, no embedding, bias or scale."""
    return parameter.ndim >= 2 and not any(word in name for word in _NOT_KERNELS)
