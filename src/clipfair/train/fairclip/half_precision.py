"""16-bit weights as the released code has them, on any device.

There the weights of convolutions, linear layers, attention and projections are 16-bit; for a step of the
optimiser they and their gradients become 32-bit, and afterwards 16-bit again: no 32-bit copy is kept, so an
update of less than half the distance to the next 16-bit number is lost. Here all stay 32-bit tensors whose
values are rounded to 16 bits. Scores are rounded too, and their gradients with them; what lies between
(activations) is not.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from clipfair.core.errors import UserError

LARGEST = 65504.0
_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)
_PROJECTIONS = ("proj", "text_projection")
ADVICE = "set precision: fp32 in config.methods, or choose a smaller lam"


def half_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """What is 16-bit in the released code, by name: all but norms, embeddings and the temperature."""
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            in_attention = isinstance(module, nn.MultiheadAttention) and name.startswith(("in_", "bias_"))
            if isinstance(module, _LAYERS) or in_attention or name in _PROJECTIONS:
                yield f"{prefix}.{name}" if prefix else name, parameter


@torch.no_grad()
def round_weights(model: nn.Module) -> None:
    """Round them to 16 bits, in place.

    Raises
    ------
    UserError
        If one is beyond the range of 16 bits.
    """
    for name, parameter in half_parameters(model):
        rounded = parameter.half()
        if not rounded.isfinite().all():
            raise UserError(
                f"a weight of {name} is {parameter.abs().max():g}, beyond 16 bits ({LARGEST:g}); {ADVICE}"
            )
        parameter.copy_(rounded)


def to_half(scores: Tensor, keys: Sequence[str]) -> Tensor:
    """Scores rounded to 16 bits; so are their gradients on the way back.

    Parameters
    ----------
    scores
        (n,) or (n, n), rows of the examples ``keys``.

    Raises
    ------
    UserError
        If one overflows; it names the score and its example.
    """
    rounded = scores.half().float()
    over = ~rounded.isfinite()
    if over.any():
        row = int(over.reshape(len(scores), -1).any(dim=1).nonzero()[0])
        value = float(scores[row].detach().abs().max())
        raise UserError(f"the score {value:g} of {keys[row]} is beyond 16 bits ({LARGEST:g}); {ADVICE}")
    return rounded


class HalfGradients:
    """Gradients of the 16-bit weights, rounded as they come.

    ``largest`` is told of the scores of each batch, so that an overflow can be reported with its cause.
    """

    def __init__(self, model: nn.Module):
        self.largest = (0.0, "none")
        for name, parameter in half_parameters(model):
            parameter.register_post_accumulate_grad_hook(self._rounder(name))

    def see(self, scores: Tensor, keys: Sequence[str]) -> None:
        """Keep the largest score of a batch, with its example."""
        place = int(scores.detach().abs().argmax())
        self.largest = (float(scores.detach()[place]), keys[place])

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


class RoundTrip:
    """After each step of the optimiser: the weights are 16-bit again."""

    def after_step(self, step: int, model: nn.Module) -> None:
        """Round them."""
        round_weights(model)

    def best(self) -> None:
        """It chooses nothing."""

    def state_dict(self) -> dict:
        """It has none."""
        return {}

    def load_state_dict(self, state: Mapping) -> None:
        """Nothing."""
