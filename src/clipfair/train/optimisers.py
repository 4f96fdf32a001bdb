"""Optimisers by name: Adam, AdamW, and big_vision's variant of Adafactor.

Adam and AdamW are torch's functional ``adam``. The classes of ``torch.optim`` would import torch's compiler,
which takes more than a second; the function does not. Adafactor is our own, for two reasons: timm's
``AdafactorBigVision`` rounds the momentum to bfloat16 before it applies it, where big_vision only stores it
so; and importing timm costs as much as importing torch. A test compares the two with a momentum of 32 bits.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from clipfair.core.errors import UserError
from clipfair.core.schema import unknown

# Weight decay applies to what flax calls a kernel: weights of linear layers and convolutions, projections.
_NOT_KERNELS = ("embedding", "words", "pos_embed", "cls", "latent")

Named = Sequence[tuple[str, nn.Parameter]]


class Optimiser(Protocol):
    """Updates parameters from their gradients; its state is of plain values and tensors."""

    def step(self, factor: float) -> None:
        """Update once; ``factor`` is the schedule's."""

    def state_dict(self) -> dict:
        """Return the state."""

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the state."""


class FunctionalAdam:
    """Adam (Kingma and Ba, 2015), or AdamW (Loshchilov and Hutter, 2019) with ``decoupled`` weight decay.

    Decoupled decay applies to kernels only (:func:`is_kernel`), the other to all parameters. A parameter
    without a gradient is not updated.
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
        self.decays = [weight_decay if not decoupled or is_kernel(name, p) else 0.0 for name, p in named]
        self.rate, self.betas, self.eps, self.decoupled = rate, tuple(betas), eps, decoupled
        self.steps = [torch.zeros(()) for _ in named]
        self.first = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.second = [torch.zeros_like(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Update once, with ``factor`` times the learning rate."""
        for decay in dict.fromkeys(self.decays):
            rows = [
                row
                for row, parameter in enumerate(self.parameters)
                if parameter.grad is not None and self.decays[row] == decay
            ]
            adam(
                [self.parameters[row] for row in rows],
                [self.parameters[row].grad for row in rows],
                [self.first[row] for row in rows],
                [self.second[row] for row in rows],
                [],
                [self.steps[row] for row in rows],
                foreach=True,
                decoupled_weight_decay=self.decoupled,
                amsgrad=False,
                beta1=self.betas[0],
                beta2=self.betas[1],
                lr=self.rate * factor,
                weight_decay=decay,
                eps=self.eps,
                maximize=False,
            )

    def state_dict(self) -> dict:
        """Return the steps and both moments of every parameter."""
        return {"steps": self.steps, "first": self.first, "second": self.second}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the state."""
        for name, values in self.state_dict().items():
            _copy(state[name], values)


class Adafactor:
    """big_vision's Adafactor: factored second moments, momentum, no relative steps, no clipping of updates.

    With g the gradient and t = 0, 1, ... the step:

        beta_t = min(0.999, 1 - (t + 1)^-0.8)
        v      = beta_t v + (1 - beta_t) (g^2 + 1e-30)           or its two means, if it is factored
        u      = g / sqrt(v)                                     or g / sqrt(row col / mean(row))
        m      = 0.9 m + 0.1 u                                   stored in bfloat16, not debiased
        theta  = theta - factor (lr m + weight_decay theta)      the last term for kernels only

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
        """Update once."""
        self.steps += 1
        beta = min(0.999, 1 - self.steps**-0.8)
        for parameter, decay, moments in zip(self.parameters, self.decays, self.moments, strict=True):
            if parameter.grad is not None:
                scaled = _scaled(parameter.grad.float(), moments, beta)
                momentum = 0.9 * moments["momentum"].float() + 0.1 * scaled
                moments["momentum"].copy_(momentum)
                parameter.sub_(self.rate * momentum + decay * parameter, alpha=factor)

    def state_dict(self) -> dict:
        """Return the steps and moments."""
        return {"steps": self.steps, "moments": self.moments}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the state."""
        self.steps = state["steps"]
        for current, saved in zip(self.moments, state["moments"], strict=True):
            _copy([saved[name] for name in current], list(current.values()))


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
    """Update the second moment; return the gradient over its root."""
    square = gradient.square() + 1e-30
    dimensions = _factored(gradient.shape)
    if dimensions is None:
        return gradient * moments["second"].lerp_(square, 1 - beta).rsqrt()
    large, largest = dimensions
    rows = moments["rows"].lerp_(square.mean(dim=largest, keepdim=True), 1 - beta)
    columns = moments["columns"].lerp_(square.mean(dim=large, keepdim=True), 1 - beta)
    return gradient * (rows / rows.mean(dim=large, keepdim=True)).rsqrt() * columns.rsqrt()


def _factored(shape: torch.Size) -> tuple[int, int] | None:
    """Return the second largest dimension and the largest, None if the second largest is below 32."""
    order = sorted(range(len(shape)), key=lambda dimension: shape[dimension])
    if len(shape) < 2 or shape[order[-2]] < 32:
        return None
    return order[-2], order[-1]


def _copy(saved: Sequence[Tensor], current: Sequence[Tensor]) -> None:
    for source, target in zip(saved, current, strict=True):
        target.copy_(source)


OPTIMISERS = ("adafactor", "adamw", "adam")


def make_optimiser(recipe: Mapping, named: Iterable[tuple[str, nn.Parameter]]) -> Optimiser:
    """Return the optimiser of a recipe.

    Parameters
    ----------
    recipe
        ``optimiser``, ``learning_rate``, ``weight_decay``; for Adam and AdamW also ``betas`` and ``eps``.
    named
        The parameters to train, with their names.

    Raises
    ------
    UserError
        If there is no optimiser of that name.
    """
    name = recipe["optimiser"]
    if name not in OPTIMISERS:
        raise UserError(f"config.recipes: {unknown('optimiser', name, OPTIMISERS)}")
    common = {"rate": recipe["learning_rate"], "weight_decay": recipe.get("weight_decay", 0.0)}
    if name == "adafactor":
        return Adafactor(list(named), **common)
    return FunctionalAdam(
        list(named),
        betas=recipe.get("betas", (0.9, 0.999)),
        eps=recipe.get("eps", 1e-8),
        decoupled=name == "adamw",
        **common,
    )


def is_kernel(name: str, parameter: Tensor) -> bool:
    """Return True for a matrix of a linear map, False for an embedding, a bias or a scale."""
    return parameter.ndim >= 2 and not any(word in name for word in _NOT_KERNELS)
