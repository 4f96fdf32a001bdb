"""The order of the training examples, decided by the seed alone, whatever reads them.

A stage goes over its examples again and again. In each pass the shards are shuffled, and the examples within
each few shards, so that a reader has few shards open, and reads every example once before any example twice.
The examples of any step can be computed directly, so a stopped run continues at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clipfair.core.errors import UserError


@dataclass
class ShuffledPasses:
    """The endless order of one stage's examples.

    Parameters
    ----------
    shards
        (n,) the shard of each example.
    open_shards
        The number of shards that are shuffled together.
    seed
        A sequence of non-negative numbers.
    """

    shards: np.ndarray
    open_shards: int
    seed: Sequence[int]
    _passes: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def take(self, start: int, count: int) -> np.ndarray:
        """Return the examples number ``start`` to ``start + count`` of the order; (count,) positions."""
        n, parts = len(self.shards), []
        while count:
            number, offset = divmod(start, n)
            part = self._pass(number)[offset : offset + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def _pass(self, number: int) -> np.ndarray:
        if number not in self._passes:
            self._passes = {number: self._shuffle(np.random.default_rng([*self.seed, number]))}
        return self._passes[number]

    def _shuffle(self, rng: np.random.Generator) -> np.ndarray:
        names, index_of = np.unique(self.shards, return_inverse=True)
        group_of = rng.permutation(len(names))[index_of] // self.open_shards
        shuffled = rng.permutation(len(self.shards))
        return shuffled[np.argsort(group_of[shuffled], kind="stable")]


@dataclass(frozen=True)
class Stage:
    """One stage of a training: a data condition and its number of steps.

    Attributes
    ----------
    name : of the condition.
    rows : (n,) the rows of its examples in the dataset.
    passes : the order of the n examples.
    steps : of the stage.
    texts : n captions that replace the dataset's, None to keep the dataset's.
    """

    name: str
    rows: np.ndarray
    passes: ShuffledPasses
    steps: int
    texts: Sequence[str] | None = None


@dataclass(frozen=True)
class ExampleOrder:
    """The order of the examples of all stages."""

    stages: Sequence[Stage]
    batch_size: int

    def at(self, step: int) -> tuple[Stage, np.ndarray]:
        """Return the stage of a step (from 0), and (batch_size,) positions in the stage's rows."""
        for stage in self.stages[:-1]:
            if step < stage.steps:
                break
            step -= stage.steps
        else:
            stage = self.stages[-1]
        return stage, stage.passes.take(step * self.batch_size, self.batch_size)


def share_steps(shares: Sequence[float], total: int) -> list[int]:
    """Return the steps of each stage; their sum is ``total``.

    >>> share_steps([0.1, 0.9], 600)
    [60, 540]
    """
    ends = [round(total * share) for share in np.cumsum(shares)[:-1]]
    return np.diff([0, *ends, total]).astype(int).tolist()


def check_size(name: str, examples: int, batch_size: int) -> None:
    """Raise a UserError if a batch would contain an example twice."""
    if examples < batch_size:
        raise UserError(
            f"{name} has {examples:,} examples, fewer than a batch of {batch_size:,}: "
            "choose a smaller batch_size in recipes.yaml or more data"
        )
