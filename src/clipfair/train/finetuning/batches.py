"""The batches of a fine-tuning: one of all examples and, for a fairness loss, one of each group with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from clipfair.core.errors import UserError
from clipfair.models.interface import BuiltModel
from clipfair.train.finetuning.augmentation import AugmentedImages
from clipfair.train.finetuning.examples import Examples
from clipfair.train.interfaces import Batch

# Keys of `extra` of a batch: the batches of its groups, concatenated; label, weight and cell of its examples.
GROUP_PIXELS, GROUP_TEXTS, GROUP_SIZES, GROUP_KEYS, GROUP_LABELS, LABELS, WEIGHTS, CELLS = (
    "group_pixels",
    "group_texts",
    "group_sizes",
    "group_keys",
    "group_labels",
    "labels",
    "weights",
    "cells",
)


class GroupedBatches:
    """Endless batches, pass after pass over the shuffled training split.

    Parameters
    ----------
    examples
        The training split.
    built
        The model; it normalises the images.
    groups
        The positions of each group, in the order of the loss; empty without a fairness loss.
    batch_size, group_batch_size
        Examples of a batch and of a group batch; the last batch of a pass is smaller.
    seed
        The seed of the run. Methods that differ only in their fairness loss get the same batches.
    shared
        Shuffle everything with one generator, as in the released code, so that the groups change the batches.
    drop_last, drop_last_groups
        Leave out the last, smaller batch of each pass over all examples, and over each group.
    accumulate
        Batches of a step; the last step of a pass may have fewer.
    only_last
        Yield only the last batch of each step, as a script does that clears its gradients in every batch.
    augmented
        Random crops to use instead of the stored images; None for none.
    mismatched
        Take the texts of a group batch from the whole split, by their positions within the group.
    balanced
        The positions of cells that a pass has equally often, up to one example; empty: every example once.
    columns
        Key of ``extra`` -> a value of each example, (n,), which comes with the batch.

    Raises
    ------
    UserError
        If ``drop_last_groups`` leaves nothing of a group.
    """

    def __init__(
        self,
        examples: Examples,
        built: BuiltModel,
        groups: Sequence[np.ndarray],
        *,
        batch_size: int,
        group_batch_size: int,
        seed: int,
        shared: bool = False,
        drop_last: bool = False,
        drop_last_groups: bool = False,
        accumulate: int = 1,
        only_last: bool = False,
        mismatched: bool = False,
        augmented: AugmentedImages | None = None,
        balanced: Sequence[np.ndarray] = (),
        columns: Mapping[str, Tensor] | None = None,
    ):
        self.examples, self.built, self.groups = examples, built, list(groups)
        self.batch_size, self.group_batch_size = batch_size, group_batch_size
        self.seed, self.shared, self.mismatched = seed, shared, mismatched
        self.drop_last, self.drop_last_groups = drop_last, drop_last_groups
        self.accumulate, self.only_last = accumulate, only_last
        self.augmented, self.balanced, self.columns = augmented, list(balanced), dict(columns or {})
        self.keys = examples.table["key"].to_numpy()
        self.batch = 0
        smallest = min(map(len, self.groups), default=group_batch_size)
        if drop_last_groups and smallest < group_batch_size:
            raise UserError(
                f"a group has {smallest} training examples, fewer than a batch of {group_batch_size} that "
                "drop_last_groups keeps; lower group_batch_size in recipes.yaml"
            )

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches of one pass."""
        whole, rest = divmod(len(self.examples), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    @property
    def step_size(self) -> int:
        """The number of examples of a step."""
        return self.batch_size * self.accumulate

    @property
    def divisor(self) -> int:
        """Divisor of the loss of a batch if only the last batch of a step counts."""
        return self.accumulate if self.only_last else 1

    @property
    def steps_per_epoch(self) -> int:
        """The number of steps of one pass."""
        return -(-self.batches_per_epoch // self.accumulate)

    def positions(self) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        """Yield the positions of every batch from the first on: of the batch, and of each group batch."""
        generator, *of_groups = self._generators()
        everyone = np.arange(len(self.examples))
        draw = partial(generator.permutation, everyone)
        if self.balanced:
            draw = partial(draw_equally, self.balanced, len(everyone), generator)
        main = _passes(draw, self.batch_size, drop_last=self.drop_last)
        group_batches = [
            _passes(partial(rng.permutation, members), self.group_batch_size, drop_last=self.drop_last_groups)
            for members, rng in zip(self.groups, of_groups, strict=True)
        ]
        while True:
            yield next(main), [next(batches) for batches in group_batches]

    def _generators(self) -> list[np.random.Generator]:
        if self.shared:
            return [np.random.default_rng([self.seed, 0])] * (1 + len(self.groups))
        return [np.random.default_rng([self.seed, stream]) for stream in range(1 + len(self.groups))]

    def __iter__(self) -> Iterator[Batch]:
        positions = self.positions()
        for _ in range(self.batch):  # repeats only the random draws
            next(positions)
        for chosen, of_groups in positions:
            self.batch += 1
            ends_step = self._ends_step()
            if ends_step or not self.only_last:
                yield self._batch(chosen, of_groups, ends_step)

    def _ends_step(self) -> bool:
        """Return True if a step ends with the current batch."""
        number = (self.batch - 1) % self.batches_per_epoch + 1
        return number % self.accumulate == 0 or number == self.batches_per_epoch

    def _batch(self, chosen: np.ndarray, of_groups: list[np.ndarray], ends_step: bool) -> Batch:
        rows = torch.from_numpy(chosen)
        images = self.built.normalise(self._pixels(chosen, stream=0))
        keys = self.keys[chosen].tolist()
        return Batch(images, self.examples.tokens[rows], keys, self._extra(chosen, of_groups), ends_step)

    def _extra(self, chosen: np.ndarray, of_groups: list[np.ndarray]) -> dict[str, object]:
        columns = {name: values[torch.from_numpy(chosen)] for name, values in self.columns.items()}
        if not of_groups:
            return columns
        joined = np.concatenate(of_groups)
        return columns | {
            GROUP_PIXELS: self._pixels(joined, stream=1),
            GROUP_TEXTS: self._group_texts(of_groups),
            GROUP_SIZES: list(map(len, of_groups)),
            GROUP_KEYS: self.keys[joined].tolist(),
            GROUP_LABELS: self.examples.labels[joined],
            LABELS: self.examples.labels[chosen],
        }

    def _pixels(self, rows: np.ndarray, *, stream: int) -> Tensor:
        if self.augmented is None:
            return self.examples.pixels(torch.from_numpy(rows))
        return self.augmented.pixels(rows, (self.seed, self.batch, stream))

    def _group_texts(self, of_groups: list[np.ndarray]) -> Tensor:
        texts = of_groups
        if self.mismatched:
            # The position within the group is used as a row of the whole split.
            texts = [
                np.searchsorted(members, batch) for members, batch in zip(self.groups, of_groups, strict=True)
            ]
        return self.examples.tokens[torch.from_numpy(np.concatenate(texts))]

    def state_dict(self) -> dict:
        """Return the number of the last batch."""
        return {"batch": self.batch}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the number of the last batch."""
        self.batch = state["batch"]


def _passes(draw: Callable[[], np.ndarray], size: int, *, drop_last: bool) -> Iterator[np.ndarray]:
    """Yield the batches of endless passes; ``draw`` returns the positions of a pass in their order."""
    while True:
        order = draw()
        end = len(order) - len(order) % size if drop_last else len(order)
        for start in range(0, end, size):
            yield order[start : start + size]


def draw_equally(cells: Sequence[np.ndarray], length: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a pass of ``length`` positions in random order, of every cell equally many, up to one.

    The positions of a cell are repeated whole as often as they fit; the rest is drawn without replacement.
    """
    shares = np.full(len(cells), length // len(cells))
    shares[rng.permutation(len(cells))[: length % len(cells)]] += 1
    drawn = []
    for cell, share in zip(cells, shares, strict=True):
        whole, rest = divmod(share, len(cell))
        drawn += [*[cell] * whole, rng.choice(cell, rest, replace=False)]
    return rng.permutation(np.concatenate(drawn))
