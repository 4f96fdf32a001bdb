"""The batches of a fine-tuning: one of everybody and, for a fairness loss, one of every group beside it."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from clipfair.models.interface import Built
from clipfair.train.finetuning.examples import Examples
from clipfair.train.protocols import Batch

# In `extra` of a batch: what its groups' batches are, one after the other.
GROUP_PIXELS, GROUP_TEXTS, GROUP_SIZES, GROUP_KEYS = (
    "group_pixels",
    "group_texts",
    "group_sizes",
    "group_keys",
)


class FairBatches:
    """Batches without end, pass after pass over the shuffled training split.

    Parameters
    ----------
    examples
        The training split.
    built
        Prepares the pictures.
    groups
        The positions of each group, in the order of the loss; none without a fairness loss.
    batch_size, group_batch_size
        Of everybody and of every group; the last of a pass is smaller.
    seed
        Of the run. Methods that differ only in their fairness loss get the same batches of it.
    shared
        One generator shuffles all, as in the released code, so that the groups change the batches.
    drop_last
        Leave out the last, smaller batch of everybody.
    mismatched
        The texts of a group's batch are taken by place from the whole split.
    """

    def __init__(
        self,
        examples: Examples,
        built: Built,
        groups: Sequence[np.ndarray],
        *,
        batch_size: int,
        group_batch_size: int,
        seed: int,
        shared: bool = False,
        drop_last: bool = False,
        mismatched: bool = False,
    ):
        self.examples, self.built, self.groups = examples, built, list(groups)
        self.batch_size, self.group_batch_size = batch_size, group_batch_size
        self.seed, self.shared, self.drop_last, self.mismatched = seed, shared, drop_last, mismatched
        self.keys = examples.table["key"].to_numpy()
        self.step = 0

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one pass."""
        whole, rest = divmod(len(self.examples), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    def positions(self) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        """The examples of each step from the first on: of everybody, of each group."""
        batches, *of_groups = self._generators()
        everybody = np.arange(len(self.examples))
        main = _passes(everybody, self.batch_size, batches, drop_last=self.drop_last)
        beside = [
            _passes(members, self.group_batch_size, rng, drop_last=False)
            for members, rng in zip(self.groups, of_groups, strict=True)
        ]
        while True:
            yield next(main), [next(batch) for batch in beside]

    def _generators(self) -> list[np.random.Generator]:
        if self.shared:
            return [np.random.default_rng([self.seed, 0])] * (1 + len(self.groups))
        return [np.random.default_rng([self.seed, stream]) for stream in range(1 + len(self.groups))]

    def __iter__(self) -> Iterator[Batch]:
        positions = self.positions()
        for _ in range(self.step):  # only numbers are drawn again
            next(positions)
        for chosen, of_groups in positions:
            self.step += 1
            yield self._batch(chosen, of_groups)

    def _batch(self, chosen: np.ndarray, of_groups: list[np.ndarray]) -> Batch:
        rows = torch.from_numpy(chosen)
        images = self.built.normalise(self.examples.pixels(rows))
        return Batch(images, self.examples.tokens[rows], self.keys[chosen].tolist(), self._extra(of_groups))

    def _extra(self, of_groups: list[np.ndarray]) -> dict[str, object]:
        if not of_groups:
            return {}
        joined = np.concatenate(of_groups)
        return {
            GROUP_PIXELS: self.examples.pixels(torch.from_numpy(joined)),
            GROUP_TEXTS: self._group_texts(of_groups),
            GROUP_SIZES: list(map(len, of_groups)),
            GROUP_KEYS: self.keys[joined].tolist(),
        }

    def _group_texts(self, of_groups: list[np.ndarray]) -> Tensor:
        texts = of_groups
        if self.mismatched:
            # The place within the group, read as a row of the whole split.
            texts = [
                np.searchsorted(members, batch) for members, batch in zip(self.groups, of_groups, strict=True)
            ]
        return self.examples.tokens[torch.from_numpy(np.concatenate(texts))]

    def state_dict(self) -> dict:
        """The step."""
        return {"step": self.step}

    def load_state_dict(self, state: Mapping) -> None:
        """Go there."""
        self.step = state["step"]


def _passes(
    positions: np.ndarray, size: int, rng: np.random.Generator, *, drop_last: bool
) -> Iterator[np.ndarray]:
    end = len(positions) - len(positions) % size if drop_last else len(positions)
    while True:
        order = rng.permutation(positions)
        for start in range(0, end, size):
            yield order[start : start + size]
