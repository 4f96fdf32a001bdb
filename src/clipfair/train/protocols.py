"""What the loop is given: batches, what is minimised, what happens after a step.

Everything with a state says it as a mapping of plain values (numbers, strings, lists, mappings) and
tensors, so that a checkpoint is read without running code. A restored one goes on to the same bytes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """Some examples.

    Attributes
    ----------
    images : (n, 3, H, W) float, normalised as the model wants it.
    texts : (n, context) int64, tokens.
    keys : of the examples, n.
    extra : what an objective needs besides, by name; tensors are moved with the batch.
    """

    images: Tensor
    texts: Tensor
    keys: Sequence[str]
    extra: Mapping[str, object] = field(default_factory=dict)

    def to(self, device: object) -> "Batch":
        """The same on another device."""
        moved = {name: _moved(value, device) for name, value in self.extra.items()}
        return Batch(_moved(self.images, device), _moved(self.texts, device), self.keys, moved)


def _moved(value: object, device: object) -> object:
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value


class Source(Protocol):
    """Where batches come from: this process's part of each, ``accumulate`` of them a step, without end."""

    def __iter__(self) -> Iterator[Batch]:
        """From where the state says on."""

    def state_dict(self) -> dict:
        """The place after the last batch that was yielded."""

    def load_state_dict(self, state: Mapping) -> None:
        """Go there."""


class Objective(Protocol):
    """What is minimised."""

    def prepare(self, model: nn.Module) -> None:
        """Once, before training: set what is the objective's (temperature, what is frozen)."""

    def terms(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name: ``loss`` is minimised, all are logged."""

    def parameters(self, model: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        """What is trained, with its name in the model."""

    def state_dict(self) -> dict:
        """Its own generators and the like."""

    def load_state_dict(self, state: Mapping) -> None:
        """Restore them."""


class Hook(Protocol):
    """What happens between the steps: a validation, a choice among the epochs."""

    def after_step(self, step: int, model: nn.Module) -> None:
        """After step number ``step``, the first being 1."""

    def best(self) -> Mapping[str, Tensor] | None:
        """The weights to keep in place of the last ones, if it has any."""

    def state_dict(self) -> dict:
        """What it needs to go on."""

    def load_state_dict(self, state: Mapping) -> None:
        """Restore it."""


@dataclass(frozen=True)
class Place:
    """One process among those that train together: its number, how many there are, its device."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class Parts:
    """All that one kind of method (``pretrain``, ``finetune``) gives the loop.

    Its module ``clipfair.train.<kind>`` has
    ``make_parts(settings, data, built, *, place: Place, out: Mapping[str, str], scratch: str) -> Parts``.

    Attributes
    ----------
    batch_size : examples a step, over all processes.
    examples : how many are seen in all.
    facts : what the run's spec should say of the data (versions, digests, counts).
    """

    source: Source
    objective: Objective
    batch_size: int
    examples: int
    hooks: Sequence[Hook] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
