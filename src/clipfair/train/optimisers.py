"""Optimisers by name: Adam, AdamW, and big_vision's variant of Adafactor.

Adam and AdamW are torch's functional ``adam``. The classes of ``torch.optim`` would import torch's compiler,
which takes more than a second; the function does not. It is the fused kernel: the others call ``torch.sqrt``,
which on a CPU is MKL's, and its last bit depends on the processor's make under every setting
(benchmarks/verify). Adafactor is our own, for two reasons: timm's
``AdafactorBigVision`` rounds the momentum to bfloat16 before it applies it, where big_vision only stores it
so; and importing timm costs as much as importing torch. Tests compare ours with optax
and, but for the momentum, with timm's.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from clipfair.core.errors import UserError, unknown

# Weight decay applies to what flax calls a kernel: weights of linear layers and convolutions, projections.
_NOT_KERNELS = ("embedding", "words", "pos_embed", "cls", "latent")

# 0.9 in bfloat16: optax multiplies by the decay in the type of the stored momentum.
MOMENTUM = 0.8984375
EPSILON = 1e-30

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

    Decoupled decay applies to kernels only (:func:`is_kernel`), or to all ``matrices`` (parameters of two or
    more dimensions, embeddings included); the other to all parameters. A parameter without a gradient is not
    updated.
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
        matrices: bool = False,
    ):
        self.parameters = [parameter for _, parameter in named]
        self.decays = [
            weight_decay if not decoupled or is_kernel(name, p) or (matrices and p.ndim >= 2) else 0.0
            for name, p in named
        ]
        self.rate, self.betas, self.eps, self.decoupled = rate, tuple(betas), eps, decoupled
        self.steps = [torch.zeros((), device=parameter.device) for parameter in self.parameters]
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
                foreach=False,
                fused=True,
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
        m      = 0.8984375 m + 0.1 u                             stored in bfloat16, not debiased
        theta  = theta - factor (lr m + weight_decay theta)      the last term for kernels only

    0.8984375 is 0.9 in bfloat16, the type in which optax multiplies the momentum. v is factored over the two
    largest dimensions if both are at least 32. The weight decay is not multiplied by the learning rate, only
    by the schedule's factor: 1e-4 here with a learning rate of 1e-3 is 0.1 in AdamW.

    Parameters that are treated alike are updated together, with one call for each operation.
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
        alike: dict[tuple[bool, float], list[int]] = {}
        for row, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                alike.setdefault(("rows" in self.moments[row], self.decays[row]), []).append(row)
        for (factored, decay), rows in alike.items():
            parameters = [self.parameters[row] for row in rows]
            moments = [self.moments[row] for row in rows]
            gradients = [parameter.grad.float() for parameter in parameters]
            scaled = (_scale_factored if factored else _scale)(gradients, moments, beta)
            updates = _update_momentum([one["momentum"] for one in moments], scaled)
            torch._foreach_mul_(updates, self.rate)
            if decay:
                torch._foreach_add_(updates, parameters, alpha=decay)
            torch._foreach_add_(parameters, updates, alpha=-factor)

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


def _scale(gradients: Sequence[Tensor], moments: Sequence[Mapping], beta: float) -> list[Tensor]:
    """Update the second moments; return the gradients over their roots."""
    second = [one["second"] for one in moments]
    squares = torch._foreach_mul(gradients, gradients)
    torch._foreach_add_(squares, EPSILON)
    torch._foreach_lerp_(second, squares, 1 - beta)
    scaled = torch._foreach_rsqrt(second)
    torch._foreach_mul_(scaled, gradients)
    return scaled


def _scale_factored(gradients: Sequence[Tensor], moments: Sequence[Mapping], beta: float) -> list[Tensor]:
    """Update the factored second moments; return the gradients over the roots of their products."""
    rows, columns = ([one[part] for one in moments] for part in ("rows", "columns"))
    large, largest = zip(*(_factored(gradient.shape) for gradient in gradients), strict=True)
    squares = torch._foreach_mul(gradients, gradients)
    for second, reduced in ((rows, largest), (columns, large)):
        means = _means(squares, reduced)
        torch._foreach_add_(means, EPSILON)
        torch._foreach_lerp_(second, means, 1 - beta)
    of_rows = torch._foreach_rsqrt(torch._foreach_div(rows, _means(rows, large)))
    of_columns = torch._foreach_rsqrt(columns)
    for scaled, gradient, row, column in zip(squares, gradients, of_rows, of_columns, strict=True):
        torch.mul(gradient, row, out=scaled).mul_(column)  # in the memory of the squares
    return squares


def _means(values: Sequence[Tensor], dimensions: Sequence[int]) -> list[Tensor]:
    return [value.mean(dim=one, keepdim=True) for value, one in zip(values, dimensions, strict=True)]


def _update_momentum(stored: Sequence[Tensor], scaled: Sequence[Tensor]) -> list[Tensor]:
    """Add the scaled gradients to the momentum; return it in 32 bits, store it in 16."""
    momentum = [value.float() for value in stored]
    torch._foreach_mul_(momentum, MOMENTUM)
    torch._foreach_add_(momentum, scaled, alpha=0.1)
    torch._foreach_copy_(stored, momentum)
    return momentum


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
        ``optimiser``, ``learning_rate``, ``weight_decay``; for Adam and AdamW also ``betas`` and ``eps``; for
        AdamW ``decayed`` (``kernels`` or ``matrices``).
    named
        The parameters to train, with their names.

    Raises
    ------
    UserError
        If there is no optimiser of that name.
    """
    name = recipe["optimiser"]
    if name not in OPTIMISERS:
        raise UserError(f"recipes.yaml: {unknown('optimiser', name, OPTIMISERS)}")
    common = {"rate": recipe["learning_rate"], "weight_decay": recipe.get("weight_decay", 0.0)}
    if name == "adafactor":
        return Adafactor(list(named), **common)
    return FunctionalAdam(
        list(named),
        betas=recipe.get("betas", (0.9, 0.999)),
        eps=recipe.get("eps", 1e-8),
        decoupled=name == "adamw",
        matrices=recipe.get("decayed") == "matrices",
        **common,
    )


def is_kernel(name: str, parameter: Tensor) -> bool:
    """Return True for a matrix of a linear map, False for an embedding, a bias or a scale."""
    return parameter.ndim >= 2 and not any(word in name for word in _NOT_KERNELS)
