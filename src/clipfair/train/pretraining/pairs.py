"""The image-text pairs of pretraining: a small dataset decoded in memory, or a large one read from shards.

Both give the same batches in the same order (:mod:`clipfair.train.order`). Which of them is used, and with
how many workers, changes no number.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clipfair.core.errors import UserError, progress
from clipfair.core.io import atomic_path
from clipfair.data.shards import PairIndex, files_digest, find_shards, read_index
from clipfair.models.interface import BuiltModel, pixels_of
from clipfair.models.tokenizers import report_unknown_words
from clipfair.train.interfaces import Batch, Process
from clipfair.train.order import ExampleOrder, Stage


@dataclass(frozen=True)
class DecodedPairs:
    """All pairs of a small dataset.

    Attributes
    ----------
    key, shard : (n,) the key of each pair, and the number of its shard.
    pixels : (n, 3, size, size) uint8; zeros where a pair is damaged.
    text : (n,) captions, objects; empty where a pair is damaged.
    error : (n,) objects: the message about a damaged pair, empty for the others.
    """

    key: np.ndarray
    shard: np.ndarray
    pixels: np.ndarray
    text: np.ndarray
    error: np.ndarray


def read_decoded(folder: str | Path, cache: str | Path, built: BuiltModel) -> DecodedPairs:
    """Return all pairs of a dataset's shards, resized for a model; the cache keeps them for the next run."""
    paths = find_shards(folder)
    cached = Path(cache, "decoded-pairs", f"{built.size}-{built.resizing}-{files_digest(paths)}.npz")
    if not cached.is_file():
        decoded = vars(_decode(read_index(paths, cache), built))
        stored = decoded | {name: _pack(decoded[name]) for name in _TEXTS}
        with atomic_path(cached) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **stored)
    with np.load(cached, allow_pickle=False) as arrays:
        stored = dict(arrays)
    return DecodedPairs(**stored | {name: _unpack(stored[name]) for name in _TEXTS})


_TEXTS = ("text", "error")
# Texts of a stage in shards whose unknown words are counted.
TEXTS_COUNTED = 1000


def _decode(index: PairIndex, built: BuiltModel) -> DecodedPairs:
    """Decode all pairs. A damaged one is no error here: a condition need not contain it."""
    n = len(index)
    pixels = np.zeros((n, 3, built.size, built.size), dtype=np.uint8)
    texts, errors = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
    for row in progress(range(n), unit="image", what="decoding"):
        try:
            content, text = index.read(row)
            pixels[row] = pixels_of(built.resize(index.decode(row, content)))
            texts[row] = text
        except UserError as error:
            errors[row] = str(error)
    return DecodedPairs(index.key, index.shard, pixels, texts, errors)


def _pack(texts: np.ndarray) -> np.ndarray:
    """Return texts as the bytes of a JSON list: an array of type str has the longest text's width in each
    row, and an array of objects would be a pickle in the file.
    """
    return np.frombuffer(json.dumps(texts.tolist()).encode(), dtype=np.uint8)


def _unpack(packed: np.ndarray) -> np.ndarray:
    """Return the texts of :func:`_pack`, (n,) objects."""
    texts = json.loads(packed.tobytes())
    unpacked = np.empty(len(texts), dtype=object)
    unpacked[:] = texts
    return unpacked


class MemorySource:
    """Batches of a decoded dataset.

    Parameters
    ----------
    order
        The order of the global batches.
    process, accumulate
        This process yields its share of each global batch, in ``accumulate`` batches.

    Raises
    ------
    UserError
        If a pair of the order is damaged.
    """

    def __init__(
        self,
        decoded: DecodedPairs,
        order: ExampleOrder,
        built: BuiltModel,
        *,
        process: Process,
        accumulate: int,
    ):
        self.decoded, self.order, self.built = decoded, order, built
        self.process, self.accumulate, self.step = process, accumulate, 0
        for stage in order.stages:
            for error in filter(None, decoded.error[stage.rows]):
                raise UserError(error)
        self._tokens: dict[str, Tensor] = {}
        self._pixels = torch.from_numpy(decoded.pixels)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            stage, positions = self.order.at(self.step)
            tokens = self._tokens_of(stage)
            self.step += 1
            for part in split(positions, self.process, self.accumulate):
                rows = stage.rows[part]
                images = self.built.normalise(self._pixels.index_select(0, torch.from_numpy(rows)))
                texts = tokens.index_select(0, torch.from_numpy(part))
                yield Batch(images, texts, self.decoded.key[rows].tolist())

    def _tokens_of(self, stage: Stage) -> Tensor:
        """Return the tokens of a stage's texts; each distinct text is tokenised once."""
        if stage.name not in self._tokens:
            texts = self.decoded.text[stage.rows].tolist() if stage.texts is None else stage.texts
            number_of: dict[str, int] = {}
            numbers = [number_of.setdefault(text, len(number_of)) for text in texts]
            if self.process.rank == 0:
                report_unknown_words(self.built.tokenizer, list(number_of))
            self._tokens = {stage.name: self.built.tokenizer(list(number_of))[torch.tensor(numbers)]}
        return self._tokens[stage.name]

    def state_dict(self) -> dict:
        """Return the step."""
        return {"step": self.step}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the step."""
        self.step = state["step"]


class ShardSource:
    """Batches read from shards, decoded in advance by ``workers`` processes.

    A worker makes whole batches, and the order says which examples they contain. So the batches are the same
    for any number of workers.
    """

    def __init__(
        self,
        index: PairIndex,
        order: ExampleOrder,
        built: BuiltModel,
        *,
        process: Process,
        accumulate: int,
        workers: int,
    ):
        self.index, self.order, self.built = index, order, built
        self.process, self.accumulate, self.workers, self.step = process, accumulate, workers, 0

    def __iter__(self) -> Iterator[Batch]:
        from torch.utils.data import DataLoader

        if self.process.rank == 0 and self.step == 0:
            report_unknown_words(self.built.tokenizer, self._some_texts())
        loader = DataLoader(
            _BatchReader(self.index, self.built),
            batch_size=None,
            sampler=_BatchSampler(self.order, self.step, self.process, self.accumulate),
            num_workers=self.workers,
            prefetch_factor=2 if self.workers else None,
            collate_fn=_identity,
            generator=torch.Generator(),  # without it, the loader draws from the global generator
        )
        for number, read in enumerate(loader, start=1):
            if isinstance(read, str):
                raise UserError(read)
            self.step += number % self.accumulate == 0
            images, texts, keys = read
            yield Batch(self.built.normalise(images), texts, keys)

    def _some_texts(self) -> list[str]:
        """Return texts of every stage, evenly spaced, without those of damaged pairs."""
        texts = []
        for stage in self.order.stages:
            for position in np.unique(np.linspace(0, len(stage.rows) - 1, TEXTS_COUNTED, dtype=np.int64)):
                if stage.texts is not None:
                    texts.append(stage.texts[position])
                    continue
                with contextlib.suppress(UserError):
                    texts.append(self.index.read(stage.rows[position])[1])
        return texts

    def state_dict(self) -> dict:
        """Return the step."""
        return {"step": self.step}

    def load_state_dict(self, state: Mapping) -> None:
        """Restore the step."""
        self.step = state["step"]


class _BatchSampler:
    """The rows of this process's batches from a step on, with their texts if the stage replaces them."""

    def __init__(self, order: ExampleOrder, step: int, process: Process, accumulate: int):
        self.order, self.step, self.process, self.accumulate = order, step, process, accumulate

    def __iter__(self) -> Iterator[tuple[np.ndarray, Sequence[str] | None]]:
        step = self.step
        while True:
            stage, positions = self.order.at(step)
            step += 1
            for part in split(positions, self.process, self.accumulate):
                texts = None if stage.texts is None else [stage.texts[position] for position in part]
                yield stage.rows[part], texts


class _BatchReader:
    """Reads and decodes batches in a worker process."""

    def __init__(self, index: PairIndex, built: BuiltModel):
        self.index, self.resize, self.tokenizer = index, built.resize, built.tokenizer

    def __getitem__(self, request: tuple[np.ndarray, Sequence[str] | None]) -> tuple | str:
        """Return pixels (n, 3, H, W) uint8, tokens and keys; or an error message.

        A message, because the loader would replace the error by one with a traceback in its text.
        """
        rows, texts = request
        try:
            read = [self.index.read(row) for row in rows]
            images = [
                pixels_of(self.resize(self.index.decode(row, content)))
                for row, (content, _) in zip(rows, read, strict=True)
            ]
        except UserError as error:
            return str(error)
        captions = [text for _, text in read] if texts is None else texts
        return torch.stack(images), self.tokenizer(captions), self.index.key[rows].tolist()


def _identity(batch: object) -> object:
    return batch


def split(positions: np.ndarray, process: Process, accumulate: int) -> list[np.ndarray]:
    """Return this process's share of a global batch, in ``accumulate`` parts."""
    share = len(positions) // process.world
    own = positions[process.rank * share : (process.rank + 1) * share]
    return np.split(own, accumulate)
