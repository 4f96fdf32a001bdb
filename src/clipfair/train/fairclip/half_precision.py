"""Weights of 16 bits as in the released FairCLIP code, on any device.

In the released code the weights of convolutions, linear layers, attention and projections have 16 bits. For a
step of the optimiser they and their gradients are converted to 32 bits, and back to 16 bits after it. There
is no 32-bit copy, so an update of less than half the distance to the next 16-bit number is lost. Here all
tensors have 32 bits, and their values are rounded to 16 bits. Scores and their gradients are rounded, too;
activations are not.

This is our own code, because torch's automatic mixed precision keeps 32-bit weights and so does not lose
updates, and because 16-bit arithmetic is slow or missing on CPUs.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from clipfair.train.deferred import DeferredChecks

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
def round_weights(model: nn.Module, checks: DeferredChecks) -> None:
    """Round the weights of :func:`half_parameters` to 16 bits, in place.

    A weight beyond the range of 16 bits fails a check of ``checks``.
    """
    for name, parameter in half_parameters(model):
        largest = _largest(parameter)
        checks.add(_overflows(largest), partial(_weight_message, name, largest))
        parameter.copy_(parameter.half())


def to_half(scores: Tensor, keys: Sequence[str], checks: DeferredChecks) -> Tensor:
    """Round scores to 16 bits; autograd rounds their gradients, too.

    A score beyond the range of 16 bits fails a check of ``checks``; the message has the score and the key of
    its example.

    Parameters
    ----------
    scores
        (n,) or (n, n), rows of the examples ``keys``.
    """
    rounded = scores.half().float()
    checks.add(~rounded.detach().isfinite().all(), partial(_score_message, scores.detach(), keys))
    return rounded


class GradientRounding:
    """Rounds the gradients of the 16-bit weights as they are accumulated.

    A gradient beyond the range of 16 bits fails a check of ``checks``. Its message has the largest score of
    the batch, which is the probable cause.
    """

    def __init__(self, model: nn.Module, checks: DeferredChecks):
        self.checks = checks
        self.scores, self.keys = torch.zeros(1), ["none"]
        for name, parameter in half_parameters(model):
            parameter.register_post_accumulate_grad_hook(partial(self._round, name))

    def record_scores(self, scores: Tensor, keys: Sequence[str]) -> None:
        """Record the scores of a batch, (n,), with the keys of its examples."""
        self.scores, self.keys = scores.detach(), keys

    def _round(self, name: str, parameter: Tensor) -> None:
        largest = _largest(parameter.grad)
        message = partial(_gradient_message, name, largest, self.scores, self.keys)
        self.checks.add(_overflows(largest), message)
        parameter.grad.copy_(parameter.grad.half())


def _largest(values: Tensor) -> Tensor:
    """The largest absolute value, (); NaN if a value is."""
    return torch.linalg.vector_norm(values, torch.inf)


def _overflows(largest: Tensor) -> Tensor:
    return ~largest.half().isfinite()


def _weight_message(name: str, largest: Tensor) -> str:
    return f"a weight of {name} is {largest:g}, beyond 16 bits ({LARGEST:g}); {ADVICE}"


def _score_message(scores: Tensor, keys: Sequence[str]) -> str:
    over = ~scores.half().isfinite().reshape(len(scores), -1).all(dim=1)
    row = int(over.nonzero()[0])
    return f"the score {scores[row].abs().max():g} of {keys[row]} is beyond 16 bits ({LARGEST:g}); {ADVICE}"


def _gradient_message(name: str, largest: Tensor, scores: Tensor, keys: Sequence[str]) -> str:
    row = int(scores.abs().argmax())
    return (
        f"a gradient of {name} is {largest:g}, beyond 16 bits ({LARGEST:g}); "
        f"the largest score of the batch is {scores[row]:g}, of {keys[row]}; {ADVICE}"
    )
