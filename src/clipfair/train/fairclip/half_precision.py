"""Weights of 16 bits as in the released FairCLIP code, on any device.

In the released code the weights of convolutions, linear layers, attention and projections have 16 bits. For a
step of the optimiser they and their gradients are converted to 32 bits, and back to 16 bits after it. There
is no 32-bit copy, so an update of less than half the distance to the next 16-bit number is lost. Here all
tensors have 32 bits, and their values are rounded to 16 bits. Scores and their gradients are rounded, too;
activations are not.

This is our own code, because torch's automatic mixed precision keeps 32-bit weights and so does not lose
updates, and because 16-bit arithmetic is slow or missing on CPUs.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from clipfair.core.errors import UserError

LARGEST = 65504.0
_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)
_PROJECTIONS = ("proj", "text_projection")
ADVICE = "set precision: fp32 in methods.yaml, or choose a smaller lam"


def half_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters that have 16 bits in the released code: all but norms, embeddings, temperature."""
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            in_attention = isinstance(module, nn.MultiheadAttention) and name.startswith(("in_", "bias_"))
            if isinstance(module, _LAYERS) or in_attention or name in _PROJECTIONS:
                yield f"{prefix}.{name}" if prefix else name, parameter


@torch.no_grad()
def round_weights(model: nn.Module) -> None:
    """Round the weights of :func:`half_parameters` to 16 bits, in place.

    Raises
    ------
    UserError
        If a weight is beyond the range of 16 bits.
    """
    for name, parameter in half_parameters(model):
        rounded = parameter.half()
        if not rounded.isfinite().all():
            raise UserError(
                f"a weight of {name} is {parameter.abs().max():g}, beyond 16 bits ({LARGEST:g}); {ADVICE}"
            )
        parameter.copy_(rounded)


def to_half(scores: Tensor, keys: Sequence[str]) -> Tensor:
    """Round scores to 16 bits; autograd rounds their gradients, too.

    Parameters
    ----------
    scores
        (n,) or (n, n), rows of the examples ``keys``.

    Raises
    ------
    UserError
        If a score is beyond the range of 16 bits; the message has the score and the key of its example.
    """
    rounded = scores.half().float()
    over = ~rounded.isfinite()
    if over.any():
        row = int(over.reshape(len(scores), -1).any(dim=1).nonzero()[0])
        value = float(scores[row].detach().abs().max())
        raise UserError(f"the score {value:g} of {keys[row]} is beyond 16 bits ({LARGEST:g}); {ADVICE}")
    return rounded


class GradientRounding:
    """Rounds the gradients of the 16-bit weights as they are accumulated.

    It records the largest score of each batch, so that an overflow is reported with its probable cause.
    """

    def __init__(self, model: nn.Module):
        self.largest = (0.0, "none")
        for name, parameter in half_parameters(model):
            parameter.register_post_accumulate_grad_hook(self._rounder(name))

    def record_scores(self, scores: Tensor, keys: Sequence[str]) -> None:
        """Record the largest score of a batch with the key of its example."""
        row = int(scores.detach().abs().argmax())
        self.largest = (float(scores.detach()[row]), keys[row])

    def _rounder(self, name: str):
        def round_gradient(parameter: Tensor) -> None:
            rounded = parameter.grad.half().float()
            if not rounded.isfinite().all():
                score, key = self.largest
                raise UserError(
                    f"a gradient of {name} is {parameter.grad.abs().max():g}, beyond 16 bits ({LARGEST:g}); "
                    f"the largest score of the batch is {score:g}, of {key}; {ADVICE}"
                )
            parameter.grad.copy_(rounded)

        return round_gradient


class WeightRounding:
    """A hook that rounds the weights to 16 bits after each step of the optimiser."""

    def after_step(self, step: int, model: nn.Module) -> None:
        """Round the weights."""
        round_weights(model)

    def best(self) -> None:
        """Return None: the hook selects no epoch."""

    def state_dict(self) -> dict:
        """Return an empty state."""
        return {}

    def load_state_dict(self, state: Mapping) -> None:
        """Do nothing."""
