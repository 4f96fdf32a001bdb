"""The pairs that pretraining reads: a small dataset decoded in memory, or a large one from its shards.

Both give the same batches in the same order (:mod:`clipfair.train.order`), so that which of them reads,
and with how many workers, changes no number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clipfair.core.errors import UserError, progress
from clipfair.core.io import atomic_path
from clipfair.data.shards import PairIndex, files_digest, find_shards, read_index
from clipfair.models.interface import Built, pixels_of
from clipfair.train.order import Order, Stage
from clipfair.train.protocols import Batch, Place


@dataclass(frozen=True)
class Decoded:
    """All pairs of a small dataset.

    Attributes
    ----------
    key, shard : (n,) of each pair; its shard by number.
    pixels : (n, 3, size, size) uint8.
    text : (n,) captions.
    """

    key: np.ndarray
    shard: np.ndarray
    pixels: np.ndarray
    text: np.ndarray


def read_decoded(folder: str | Path, cache: str | Path, built: Built) -> Decoded:
    """All pairs of a dataset's shards, resized for a model; kept in the cache for the next one."""
    paths = find_shards(folder)
    how = f"{built.size}-{'crop' if built.crop else 'squash'}"
    kept = Path(cache, "decoded", f"{how}-{files_digest(paths)}.npz")
    if not kept.is_file():
        decoded = _decode(read_index(paths, cache), built)
        with atomic_path(kept) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **vars(decoded))
    with np.load(kept, allow_pickle=False) as arrays:
        return Decoded(**arrays)


def _decode(index: PairIndex, built: Built) -> Decoded:
    pixels = np.empty((len(index), 3, built.size, built.size), dtype=np.uint8)
    texts = []
    for row in progress(range(len(index)), unit="image", what="decoding"):
        content, text = index.read(row)
        pixels[row] = pixels_of(built.resize(index.decode(row, content)))
        texts.append(text)
    return Decoded(index.key, index.shard, pixels, np.array(texts, dtype=str))


class MemorySource:
    """Batches of a decoded dataset.

    Parameters
    ----------
    order
        Of all processes' batches.
    place, accumulate
        This process gets its part of each, in ``accumulate`` batches.
    """

    def __init__(self, decoded: Decoded, order: Order, built: Built, *, place: Place, accumulate: int):
        self.decoded, self.order, self.built = decoded, order, built
        self.place, self.accumulate, self.step = place, accumulate, 0
        self._tokens: dict[str, Tensor] = {}
        self._pixels = torch.from_numpy(decoded.pixels)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            stage, positions = self.order.at(self.step)
            tokens = self._tokens_of(stage)
            self.step += 1
            for part in split(positions, self.place, self.accumulate):
                rows = stage.rows[part]
                images = self.built.normalise(self._pixels.index_select(0, torch.from_numpy(rows)))
                texts = tokens.index_select(0, torch.from_numpy(part))
                yield Batch(images, texts, self.decoded.key[rows].tolist())

    def _tokens_of(self, stage: Stage) -> Tensor:
        if stage.name not in self._tokens:
            texts = self.decoded.text[stage.rows].tolist() if stage.texts is None else stage.texts
            number_of: dict[str, int] = {}
            places = [number_of.setdefault(text, len(number_of)) for text in texts]
            self._tokens = {stage.name: self.built.tokenizer(list(number_of))[torch.tensor(places)]}
        return self._tokens[stage.name]

    def state_dict(self) -> dict:
        """The step."""
        return {"step": self.step}

    def load_state_dict(self, state: Mapping) -> None:
        """Go there."""
        self.step = state["step"]


class ShardSource:
    """Batches read from shards, decoded ahead by ``workers`` processes.

    A worker makes whole batches, whose examples the order has named: so the order is the same for any
    number of workers.
    """

    def __init__(
        self, index: PairIndex, order: Order, built: Built, *, place: Place, accumulate: int, workers: int
    ):
        self.index, self.order, self.built = index, order, built
        self.place, self.accumulate, self.workers, self.step = place, accumulate, workers, 0

    def __iter__(self) -> Iterator[Batch]:
        from torch.utils.data import DataLoader

        loader = DataLoader(
            _Reader(self.index, self.built),
            batch_size=None,
            sampler=_Requests(self.order, self.step, self.place, self.accumulate),
            num_workers=self.workers,
            prefetch_factor=2 if self.workers else None,
            collate_fn=_same,
            generator=torch.Generator(),  # else it would draw from the global one
        )
        for number, made in enumerate(loader, start=1):
            if isinstance(made, str):
                raise UserError(made)
            self.step += number % self.accumulate == 0
            images, texts, keys = made
            yield Batch(self.built.normalise(images), texts, keys)

    def state_dict(self) -> dict:
        """The step."""
        return {"step": self.step}

    def load_state_dict(self, state: Mapping) -> None:
        """Go there."""
        self.step = state["step"]


class _Requests:
    """The rows, and their texts where they are new, of this process's batches from a step on."""

    def __init__(self, order: Order, step: int, place: Place, accumulate: int):
        self.order, self.step, self.place, self.accumulate = order, step, place, accumulate

    def __iter__(self) -> Iterator[tuple[np.ndarray, Sequence[str] | None]]:
        step = self.step
        while True:
            stage, positions = self.order.at(step)
            step += 1
            for part in split(positions, self.place, self.accumulate):
                texts = None if stage.texts is None else [stage.texts[place] for place in part]
                yield stage.rows[part], texts


class _Reader:
    """Reads and decodes the batches asked for, in a worker."""

    def __init__(self, index: PairIndex, built: Built):
        self.index, self.resize, self.tokenizer = index, built.resize, built.tokenizer

    def __getitem__(self, request: tuple[np.ndarray, Sequence[str] | None]) -> tuple | str:
        """Pixels (n, 3, H, W) uint8, tokens, keys; or what is wrong: errors lose their words on the way."""
        rows, texts = request
        try:
            read = [self.index.read(row) for row in rows]
            pictures = [
                pixels_of(self.resize(self.index.decode(row, content)))
                for row, (content, _) in zip(rows, read, strict=True)
            ]
        except UserError as error:
            return str(error)
        words = [text for _, text in read] if texts is None else texts
        return torch.stack(pictures), self.tokenizer(words), self.index.key[rows].tolist()


def _same(made: object) -> object:
    return made


def split(positions: np.ndarray, place: Place, accumulate: int) -> list[np.ndarray]:
    """This process's part of a global batch, in ``accumulate`` parts."""
    each = len(positions) // place.world
    mine = positions[place.rank * each : (place.rank + 1) * each]
    return np.split(mine, accumulate)
