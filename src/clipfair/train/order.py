"""Which examples make which step: decided by the seed alone, whoever reads them.

The examples of a stage are passed over again and again. In each pass the shards are shuffled, and the
examples within each few shards, so that a reader has few shards open and sees all of them once before
any twice. Any step can be asked for, so a stopped run goes on at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clipfair.core.errors import UserError


@dataclass
class Passes:
    """The endless order of one stage's examples.

    Parameters
    ----------
    shards
        (n,) the shard of each example.
    open_shards
        How many shards are shuffled together.
    seed
        A sequence of non-negative numbers.
    """

    shards: np.ndarray
    open_shards: int
    seed: Sequence[int]
    _passes: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def take(self, start: int, count: int) -> np.ndarray:
        """The examples number ``start`` to ``start + count`` of the order; (count,) positions."""
        n, parts = len(self.shards), []
        while count:
            number, place = divmod(start, n)
            part = self._pass(number)[place : place + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def _pass(self, number: int) -> np.ndarray:
        if number not in self._passes:
            self._passes = {number: self._shuffle(np.random.default_rng([*self.seed, number]))}
        return self._passes[number]

    def _shuffle(self, rng: np.random.Generator) -> np.ndarray:
        names, place_of = np.unique(self.shards, return_inverse=True)
        group_of = rng.permutation(len(names))[place_of] // self.open_shards
        shuffled = rng.permutation(len(self.shards))
        return shuffled[np.argsort(group_of[shuffled], kind="stable")]


@dataclass(frozen=True)
class Stage:
    """One data condition of a training: its examples as rows of the dataset, and how many steps it gets.

    ``texts`` are new captions for the rows, None where they keep the dataset's.
    """

    name: str
    rows: np.ndarray
    passes: Passes
    steps: int
    texts: Sequence[str] | None = None


@dataclass(frozen=True)
class Order:
    """All stages in turn."""

    stages: Sequence[Stage]
    batch_size: int

    def at(self, step: int) -> tuple[Stage, np.ndarray]:
        """The stage of a step (from 0), and its examples; (batch_size,) positions in the stage's rows."""
        for stage in self.stages[:-1]:
            if step < stage.steps:
                break
            step -= stage.steps
        else:
            stage = self.stages[-1]
        return stage, stage.passes.take(step * self.batch_size, self.batch_size)


def share_steps(shares: Sequence[float], total: int) -> list[int]:
    """The steps of each stage; they add up to ``total``.

    >>> share_steps([0.1, 0.9], 600)
    [60, 540]
    """
    ends = [round(total * share) for share in np.cumsum(shares)[:-1]]
    return np.diff([0, *ends, total]).astype(int).tolist()


def check_size(name: str, examples: int, batch_size: int) -> None:
    """Raise if a batch would hold an example twice."""
    if examples < batch_size:
        raise UserError(
            f"{name} has {examples:,} examples, fewer than a batch of {batch_size:,}: "
            "choose a smaller batch_size in config.recipes or more data"
        )
