"""Optimisers by name: Adam and AdamW as torch has them, and big_vision's variant of Adafactor."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from clipfair.console import UserError
from clipfair.schema import unknown

# What flax calls a kernel is decayed: weights of linear layers and convolutions, projections.
_NOT_KERNELS = ("embedding", "words", "pos_embed", "cls", "latent")


class Adafactor(torch.optim.Optimizer):
    """big_vision's Adafactor: factored second moments, momentum, no relative steps, no clipping of updates.

    With g the gradient and t = 0, 1, ... the step:

        beta_t = min(0.999, 1 - (t + 1)^-0.8)
        v      = beta_t v + (1 - beta_t) (g^2 + 1e-30)           or its two means, if it is factored
        u      = g / sqrt(v)                                     or g / sqrt(row col / mean(row))
        m      = 0.9 m + 0.1 u                                   kept in bfloat16, not debiased
        theta  = theta - factor (lr m + weight_decay theta)

    v is factored over the two largest dimensions if both are at least 32. The weight decay is not
    multiplied by the learning rate, only by the schedule's ``factor``: 1e-4 here with a learning rate of
    1e-3 is 0.1 in AdamW.
    """

    def __init__(self, parameters: Iterable, lr: float, weight_decay: float = 0.0):
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "factor": 1.0})

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update = self._momentum(parameter, self._scaled(parameter)).mul(group["lr"])
                    if group["weight_decay"]:
                        update.add_(parameter, alpha=group["weight_decay"])
                    parameter.sub_(update, alpha=group["factor"])

    def _scaled(self, parameter: Tensor) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad.float()
        step = state["step"] = state.get("step", 0) + 1
        beta = min(0.999, 1 - step**-0.8)
        square = gradient.square() + 1e-30
        large, largest = _factored(parameter.shape)
        if largest is None:
            second = _averaged(state, "second", square, beta)
            return gradient * second.rsqrt()
        rows = _averaged(state, "rows", square.mean(dim=largest, keepdim=True), beta)
        columns = _averaged(state, "columns", square.mean(dim=large, keepdim=True), beta)
        return gradient * (rows / rows.mean(dim=large, keepdim=True)).rsqrt() * columns.rsqrt()

    def _momentum(self, parameter: Tensor, update: Tensor) -> Tensor:
        state = self.state[parameter]
        before = state.get("momentum")
        momentum = 0.1 * update if before is None else 0.9 * before.float() + 0.1 * update
        state["momentum"] = momentum.bfloat16()
        return momentum

    def load_state_dict(self, state_dict: dict) -> None:
        """As torch's, which would cast the momentum to the type of the parameters."""
        super().load_state_dict(state_dict)
        for state in self.state.values():
            state["momentum"] = state["momentum"].bfloat16()


def _factored(shape: torch.Size) -> tuple[int | None, int | None]:
    """The second largest dimension and the largest, None if the second is too small."""
    order = sorted(range(len(shape)), key=lambda place: shape[place])
    if len(shape) < 2 or shape[order[-2]] < 32:
        return None, None
    return order[-2], order[-1]


def _averaged(state: dict, name: str, value: Tensor, beta: float) -> Tensor:
    before = state.get(name)
    state[name] = value * (1 - beta) if before is None else before.mul_(beta).add_(value, alpha=1 - beta)
    return state[name]


OPTIMISERS = ("adafactor", "adamw", "adam")


def make_optimiser(recipe: Mapping, named: Iterable[tuple[str, nn.Parameter]]) -> torch.optim.Optimizer:
    """The optimiser of a recipe.

    ``optimiser``, ``learning_rate``, ``weight_decay``, and of Adam and AdamW ``betas`` and ``eps``.
    Adafactor and AdamW decay the kernels alone; Adam's weight decay is a part of the gradient of all.
    """
    name = recipe["optimiser"]
    if name not in OPTIMISERS:
        raise UserError(f"config.recipes: {unknown('optimiser', name, OPTIMISERS)}")
    named, rate, decay = list(named), recipe["learning_rate"], recipe.get("weight_decay", 0.0)
    moments = {"betas": tuple(recipe.get("betas", (0.9, 0.999))), "eps": recipe.get("eps", 1e-8)}
    if name == "adam":
        every = [parameter for _, parameter in named]
        return torch.optim.Adam(every, lr=rate, weight_decay=decay, fused=True, **moments)
    groups = [
        {
            "params": [parameter for name, parameter in named if is_kernel(name, parameter)],
            "weight_decay": decay,
        },
        {"params": [p for name, p in named if not is_kernel(name, p)], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if name == "adafactor":
        return Adafactor(groups, lr=rate)
    return torch.optim.AdamW(groups, lr=rate, fused=True, **moments)


def is_kernel(name: str, parameter: Tensor) -> bool:
    """Whether a parameter is decayed: a matrix that is multiplied with, no embedding, bias or scale."""
    return parameter.ndim >= 2 and not any(word in name for word in _NOT_KERNELS)


def set_rate(optimiser: torch.optim.Optimizer, rate: float, factor: float) -> None:
    """Set the learning rate to ``factor`` times ``rate``, and what else the schedule multiplies."""
    for group in optimiser.param_groups:
        if "factor" in group:
            group["factor"] = factor
        else:
            group["lr"] = rate * factor
