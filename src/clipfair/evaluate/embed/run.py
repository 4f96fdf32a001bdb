"""All checkpoints of one batch on all datasets of its evaluations.

They are one job: importing the libraries costs more than a small model's forward passes, and each
picture is opened once for all of them. Pictures are gone through in chunks that bound the memory, and
of each chunk through the checkpoints, whose weights follow each other in one network.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clipfair.core.errors import progress
from clipfair.core.io import read_json, sha256_of
from clipfair.core.paths import Run
from clipfair.core.provenance import weights_digest
from clipfair.data.images import open_image
from clipfair.data.rows import read_table, support_rows, test_rows
from clipfair.evaluate.embed.files import Checkpoint, halves, write_checkpoint, write_images
from clipfair.evaluate.embed.towers import Sentences, encode_images, encode_texts, temperature, tokenise
from clipfair.evaluate.prompts import expand
from clipfair.evaluate.texts import AT_EVERY_CHECKPOINT, text_sets
from clipfair.models.build import build, load_weights
from clipfair.models.interface import pixels_of

if TYPE_CHECKING:
    from torch import Tensor

# The prepared pictures that are held at once.
CHUNK_BYTES = 2**29
# What says where a picture lies (clipfair.data.images.open_image).
PLACE = ("key", "image", "image_bytes", "offset", "size")


@dataclass(frozen=True)
class Source:
    """Weights to be embedded with: a checkpoint less what only the network tells."""

    run: Run
    line: Mapping
    weights: str | None
    examples: int
    final: bool

    @property
    def digest(self) -> str:
        """The digest of the weights."""
        return weights_digest(self.line, self.weights, self.run.seed)


@dataclass(frozen=True)
class Wanted:
    """What is asked of a dataset: the rows of all evaluations, and of those at every checkpoint."""

    rows: np.ndarray
    rows_on_the_way: np.ndarray

    def of(self, source: Source) -> np.ndarray:
        """The rows that a checkpoint embeds; (n,) bool."""
        return self.rows if source.final else self.rows_on_the_way


def embed(
    models: Sequence[Mapping],
    datasets: Mapping[str, Mapping[str, str]],
    evaluations: Mapping[str, Mapping],
    out_dir: str,
    *,
    threads: int = 1,
) -> None:
    """Embed what the evaluations need, and nothing else, with every checkpoint of every model.

    Parameters
    ----------
    models
        The runs of one batch, each with ``run`` (the seven levels), ``line`` (the model's line of the
        registry), ``weights`` (a file; None for random ones), ``snapshots`` (a folder of
        ``<examples>.safetensors``, or None) and ``spec`` (the training's spec.json, or None if it was
        not trained).
    datasets
        id -> ``table`` (prepared parquet) and ``raw`` (the dataset's folder).
    evaluations
        id -> line of the registry. Snapshots are embedded for those of
        :data:`clipfair.evaluate.texts.AT_EVERY_CHECKPOINT` only.
    out_dir
        Where :mod:`clipfair.evaluate.embed.files` keeps them.
    threads
        How many processor threads open pictures and compute.

    Raises
    ------
    UserError
        If a picture or a model's file does not open, a model lacks a tower, or an embedding is not finite.
    """
    import torch

    torch.set_num_threads(threads)
    sources = [source for model in models for source in _sources(model)]
    tables = {name: read_table(place["table"]) for name, place in datasets.items()}
    digests = {name: sha256_of(place["table"]) for name, place in datasets.items()}
    network = Network(sources[0].line)
    texts = Texts(evaluations, tables, network.built.tokenizer)
    checkpoints = [_write_texts(source, network, texts, out_dir) for source in sources]
    for name, table in tables.items():
        lines = [line for line in evaluations.values() if line["dataset"] == name]
        wanted = Wanted(_rows(lines, table), _rows(filter(_is_on_the_way, lines), table))
        pictures = Pictures(table, datasets[name]["raw"], threads, what=name)
        found = _see_all(sources, network, pictures, wanted)
        for source, checkpoint, (images, features) in zip(sources, checkpoints, found, strict=True):
            if len(images):
                keys = table["key"].to_numpy()[wanted.of(source)]
                arrays = {"keys": keys, "images": images, "features": features}
                write_images(out_dir, checkpoint, name, **arrays, data_digest=digests[name])


def _sources(model: Mapping) -> list[Source]:
    """The snapshots of a model, and its end."""
    run = Run(**model["run"])
    examples = 0 if model["spec"] is None else read_json(model["spec"])["examples"]
    end = Source(run, model["line"], model["weights"], examples, final=True)
    files = [] if model["snapshots"] is None else Path(model["snapshots"]).glob("*.safetensors")
    by_examples = {int(file.stem): str(file) for file in files}
    return [
        *(
            Source(run, model["line"], by_examples[seen], seen, final=False)
            for seen in sorted(by_examples)
            if seen != examples
        ),
        end,
    ]


def _is_on_the_way(line: Mapping) -> bool:
    return line["kind"] in AT_EVERY_CHECKPOINT


def _rows(lines: Iterable[Mapping], table: pd.DataFrame) -> np.ndarray:
    rows = np.zeros(len(table), dtype=bool)
    for line in lines:
        rows |= test_rows(line, table) | support_rows(line, table)
    return rows


class Network:
    """One network, into which the weights of one checkpoint after another are put."""

    def __init__(self, line: Mapping):
        import torch

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.built = build(line, None, 0)
        self.built.model.to(self.device).eval()
        self.source: Source | None = None

    def put(self, source: Source) -> Any:
        """The network with the weights of ``source``, in evaluation mode."""
        if source != self.source:
            if source.weights is None:
                drawn = build(source.line, None, source.run.seed).model
                self.built.model.load_state_dict(drawn.state_dict())
            else:
                load_weights(self.built.model, source.weights)
                self.built.model.to(self.device)
            self.source = source
        return self.built.model


class Texts:
    """The texts of all evaluations, each set tokenised once."""

    def __init__(
        self,
        evaluations: Mapping[str, Mapping],
        tables: Mapping[str, pd.DataFrame],
        tokenizer: Callable[[list[str]], "Tensor"],
    ):
        self.all: dict[str, Sentences] = {}
        self.on_the_way: dict[str, Sentences] = {}
        for line in evaluations.values():
            for texts in text_sets(line, tables[line["dataset"]]).values():
                if texts.digest not in self.all:
                    self.all[texts.digest] = tokenise(tokenizer, expand(texts))
                if _is_on_the_way(line):
                    self.on_the_way[texts.digest] = self.all[texts.digest]

    def of(self, source: Source) -> dict[str, Sentences]:
        """What a checkpoint embeds, by the digest of the set."""
        return self.all if source.final else self.on_the_way


def _write_texts(source: Source, network: Network, texts: Texts, out_dir: str) -> Checkpoint:
    model = network.put(source)
    scale, bias = temperature(model)
    checkpoint = Checkpoint(source.run, source.examples, source.final, source.digest, scale, bias)
    embedded = {
        digest: encode_texts(model, sentences, device=network.device)
        for digest, sentences in texts.of(source).items()
    }
    write_checkpoint(out_dir, checkpoint, embedded)
    return checkpoint


@dataclass(frozen=True)
class Pictures:
    """The pictures of a dataset."""

    table: pd.DataFrame
    folder: str
    threads: int
    what: str

    def chunks(self, rows: np.ndarray, resize: Any) -> Iterator[tuple[np.ndarray, "Tensor"]]:
        """The pictures of the chosen ``rows`` (positions), resized: positions and uint8 pixels, by chunk."""
        import torch

        columns = [name for name in PLACE if name in self.table]
        examples = self.table.iloc[rows][columns].to_dict("records")

        def open_and_resize(example: Mapping) -> "Tensor":
            return pixels_of(resize(open_image(example, folder=self.folder)))

        size = max(1, CHUNK_BYTES // open_and_resize(examples[0]).numel())
        with ThreadPool(self.threads) as pool:
            for start in progress(range(0, len(rows), size), unit="chunk", what=self.what):
                opened = pool.map(open_and_resize, examples[start : start + size])
                yield rows[start : start + size], torch.stack(opened)


def _see_all(
    sources: Sequence[Source], network: Network, pictures: Pictures, wanted: Wanted
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Embeddings and pre-logits by each checkpoint, of the rows that it embeds."""
    parts: list[list] = [[] for _ in sources]
    for rows, pixels in pictures.chunks(np.flatnonzero(wanted.rows), network.built.resize):
        for source, part in zip(sources, parts, strict=True):
            mine = wanted.of(source)[rows]
            if mine.any():
                chosen = pixels if mine.all() else pixels[mine]
                seen = encode_images(
                    network.put(source), chosen, normalise=network.built.normalise, device=network.device
                )
                part.append([halves(values) for values in seen])
    return [_joined(part) for part in parts]


def _joined(parts: Sequence) -> tuple[np.ndarray, np.ndarray]:
    if not parts:
        return np.empty((0, 0)), np.empty((0, 0))
    images, features = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(features)
