"""The interfaces between the training loop and the parts that a kind of method provides.

Everything with a state returns it from ``state_dict`` as a mapping of plain values (numbers, strings, lists,
mappings) and tensors, so that a checkpoint is read without executing code. A training that is restored from
this state ends with the same bytes as one that was never stopped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor, nn

from clipfair.models.placement import to_device
from clipfair.train.deferred import DeferredChecks


@dataclass(frozen=True)
class Batch:
    """A batch of examples.

    Attributes
    ----------
    images : (n, 3, H, W) float, normalised for the model.
    texts : (n, context) int64, tokens.
    keys : the n keys of the examples.
    extra : further inputs of an objective, by name; tensors are moved with the batch.
    ends_step : the step ends with this batch, even if it has fewer than ``accumulate`` batches.
    """

    images: Tensor
    texts: Tensor
    keys: Sequence[str]
    extra: Mapping[str, object] = field(default_factory=dict)
    ends_step: bool = False

    def to(self, device: object) -> "Batch":
        """Return the batch on another device, without waiting for the copies."""
        images, texts = _moved(self.images, device), _moved(self.texts, device)
        extra = {name: _moved(value, device) for name, value in self.extra.items()}
        return Batch(images, texts, self.keys, extra, self.ends_step)


def _moved(value: object, device: object) -> object:
    return to_device(value, device) if isinstance(value, Tensor) else value


class BatchSource(Protocol):
    """An endless iterator over batches: this process's share, at most ``accumulate`` batches a step."""

    def __iter__(self) -> Iterator[Batch]:
        """Iterate from the current position."""

    def state_dict(self) -> dict:
        """Return the position after the last batch."""

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the position."""


class Objective(Protocol):
    """The loss to minimise and the parameters to train."""

    def prepare(self, model: nn.Module) -> None:
        """Set up the model once, before training (temperature, precision)."""

    def terms(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return scalars by name: ``loss`` is minimised, all are logged."""

    def parameters(self, model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        """Return the parameters to train, with their names in the model."""

    def after_update(self, model: nn.Module) -> None:
        """Change the weights after a step of the optimiser (precision)."""

    def state_dict(self) -> dict:
        """Return the state, e.g. of a random generator."""

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the state."""


class StepHook(Protocol):
    """Something done after some of the steps, such as a validation."""

    def is_due(self, step: int) -> bool:
        """Return True if ``after_step`` must be called after step number ``step``; the first step is 1."""

    def after_step(self, step: int, model: nn.Module) -> None:
        """Run after step number ``step``."""

    def best(self) -> Mapping[str, Tensor] | None:
        """Return the weights to save instead of the last ones, None to save the last ones."""

    def state_dict(self) -> dict:
        """Return the state."""

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the state."""


@dataclass(frozen=True)
class Process:
    """One process of a distributed training: its rank, the number of processes, its device."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class TrainingParts:
    """The parts of a training that depend on the kind of its method.

    They are made by ``make_parts(settings, data, built, *, process, out, scratch)`` of the module
    ``clipfair.train.kinds.<kind>``; see :mod:`clipfair.train.kinds.pretrain` for its parameters.

    Attributes
    ----------
    batch_size : examples per step, over all processes.
    accumulate : batches of a process per step.
    examples : examples seen in the whole training.
    facts : an entry of spec.json on the data (versions, digests, counts).
    checks : the checks of the objective, which the loop reads.
    """

    source: BatchSource
    objective: Objective
    batch_size: int
    examples: int
    accumulate: int = 1
    hooks: Sequence[StepHook] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    checks: DeferredChecks = field(default_factory=DeferredChecks)
