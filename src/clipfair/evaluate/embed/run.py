"""Embed all datasets of a batch's evaluations with all of its checkpoints.

This is one job, because importing the libraries takes longer than the forward passes of a small model, and
so that each image is opened once for all checkpoints. Images are processed in chunks that bound the memory.
For each chunk, the weights of one checkpoint after another are loaded into one network.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clipfair.core.errors import progress
from clipfair.core.io import read_json, sha256_of
from clipfair.core.paths import Run
from clipfair.core.provenance import weights_digest
from clipfair.data.decoded import DecodedImages, decoded_folder, find_decoded
from clipfair.data.images import image_records, open_image
from clipfair.data.rows import read_table, select_rows, select_support
from clipfair.evaluate.embed.files import Checkpoint, as_float16, write_checkpoint, write_images
from clipfair.evaluate.embed.towers import Sentences, encode_images, encode_texts, temperature, tokenise
from clipfair.evaluate.prompts import expand
from clipfair.evaluate.texts import AT_EVERY_CHECKPOINT, text_sets
from clipfair.models.build import build, load_weights
from clipfair.models.interface import BuiltModel, pixels_of
from clipfair.models.resizing import make_resize
from clipfair.models.tokenizers import report_unknown_words

if TYPE_CHECKING:
    from torch import Tensor

# The size of the resized images that are held at once.
CHUNK_BYTES = 2**29


@dataclass(frozen=True)
class CheckpointSource:
    """The origin of a checkpoint: its weights and its place in the training.

    Attributes
    ----------
    run : the run that trained it.
    settings : the model's entry of the configuration.
    weights : a file; None for random weights.
    examples : the number of training examples so far.
    final : True for the run's result, False for a snapshot during training.
    """

    run: Run
    settings: Mapping
    weights: str | None
    examples: int
    final: bool


@dataclass(frozen=True)
class RequestedRows:
    """The rows of a table that must be embedded: for final checkpoints and for snapshots; (n,) bool each."""

    final: np.ndarray
    snapshots: np.ndarray

    def of(self, source: CheckpointSource) -> np.ndarray:
        """The rows that a checkpoint embeds; (n,) bool."""
        return self.final if source.final else self.snapshots


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
        The runs of one batch, each with ``run`` (the seven levels), ``settings`` (the model's entry of
        the configuration), ``weights`` (a file; None for random weights), ``snapshots`` (a folder of
        ``<examples>.safetensors``, or None) and ``spec`` (the training's spec.json; None if it was not
        trained).
    datasets
        id -> ``table`` (prepared parquet), ``raw`` (the dataset's folder) and, optional, ``cache`` (the
        folder of the decoded images of trainings: if it has all images, none is opened) and ``contents``
        (the file with the sha256 of the raw data).
    evaluations
        id -> entry of the configuration. Snapshots are embedded for those of
        :data:`clipfair.evaluate.texts.AT_EVERY_CHECKPOINT` only.
    out_dir
        The folder for the files of :mod:`clipfair.evaluate.embed.files`.
    threads
        The number of processor threads that open images and compute.

    Raises
    ------
    UserError
        If an image or a model's file does not open, a model lacks a tower, or an embedding is not finite.
    """
    import torch

    torch.set_num_threads(threads)
    sources = [source for model in models for source in _find_sources(model)]
    tables = {name: read_table(files["table"]) for name, files in datasets.items()}
    network = Network(sources[0].settings)
    texts = TokenisedTexts(evaluations, tables, network.built.tokenizer)
    checkpoints = [_write_texts(source, network, texts, out_dir) for source in sources]
    for name, table in tables.items():
        digest = sha256_of(datasets[name]["table"])
        images = DatasetImages(table, datasets[name], threads, what=name)
        for resize, alike in _by_resize(evaluations, name).items():
            requested = RequestedRows(
                _find_rows(alike, table), _find_rows(filter(_needs_snapshots, alike), table)
            )
            embeddings = _encode_dataset(sources, network, images, requested, resize)
            for source, checkpoint, arrays in zip(sources, checkpoints, embeddings, strict=True):
                if len(arrays["images"]):
                    keys = table["key"].to_numpy()[requested.of(source)]
                    labels = {"keys": keys, "data_digest": digest, "resize": resize}
                    write_images(out_dir, checkpoint, name, **arrays, **labels)


def _by_resize(evaluations: Mapping[str, Mapping], dataset: str) -> dict[int | None, list[Mapping]]:
    """The evaluations on a dataset by their setting ``resize``; None is the model's own preparation."""
    found: dict[int | None, list[Mapping]] = {}
    for settings in evaluations.values():
        if settings["dataset"] == dataset:
            found.setdefault(settings.get("resize"), []).append(settings)
    return found


def _find_sources(model: Mapping) -> list[CheckpointSource]:
    """The snapshots of a model in the order of training, then its final weights."""
    run = Run(**model["run"])
    examples = 0 if model["spec"] is None else read_json(model["spec"])["examples"]
    files = [] if model["snapshots"] is None else Path(model["snapshots"]).glob("*.safetensors")
    snapshots = {int(file.stem): str(file) for file in files}
    return [
        *(
            CheckpointSource(run, model["settings"], snapshots[number], number, final=False)
            for number in sorted(snapshots)
            if number != examples
        ),
        CheckpointSource(run, model["settings"], model["weights"], examples, final=True),
    ]


def _needs_snapshots(settings: Mapping) -> bool:
    return settings["kind"] in AT_EVERY_CHECKPOINT


def _find_rows(evaluations: Iterable[Mapping], table: pd.DataFrame) -> np.ndarray:
    rows = np.zeros(len(table), dtype=bool)
    for settings in evaluations:
        rows |= select_rows(settings, table) | select_support(settings, table)
    return rows


class Network:
    """One network, into which the weights of one checkpoint after another are loaded."""

    def __init__(self, settings: Mapping):
        import torch

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.built = build(settings, None, 0)
        self.built.model.to(self.device).eval()
        self.source: CheckpointSource | None = None

    def load(self, source: CheckpointSource) -> Any:
        """The network with the weights of ``source``, in evaluation mode."""
        if source != self.source:
            if source.weights is None:
                random = build(source.settings, None, source.run.seed).model
                self.built.model.load_state_dict(random.state_dict())
            else:
                load_weights(self.built.model, source.weights)
                self.built.model.to(self.device)
            self.source = source
        return self.built.model


class TokenisedTexts:
    """The texts of all evaluations, each set tokenised once."""

    def __init__(
        self,
        evaluations: Mapping[str, Mapping],
        tables: Mapping[str, pd.DataFrame],
        tokenizer: Callable[[list[str]], "Tensor"],
    ):
        self.final: dict[str, Sentences] = {}
        self.snapshots: dict[str, Sentences] = {}
        for settings in evaluations.values():
            for texts in text_sets(settings, tables[settings["dataset"]]).values():
                if texts.digest not in self.final:
                    sentences = expand(texts)
                    report_unknown_words(tokenizer, list(chain.from_iterable(sentences)), what="texts")
                    self.final[texts.digest] = tokenise(tokenizer, sentences)
                if _needs_snapshots(settings):
                    self.snapshots[texts.digest] = self.final[texts.digest]

    def of(self, source: CheckpointSource) -> dict[str, Sentences]:
        """The texts that a checkpoint embeds, by the digest of their set."""
        return self.final if source.final else self.snapshots


def _write_texts(
    source: CheckpointSource, network: Network, texts: TokenisedTexts, out_dir: str
) -> Checkpoint:
    model = network.load(source)
    scale, bias = temperature(model)
    digest = weights_digest(source.settings, source.weights, source.run.seed)
    checkpoint = Checkpoint(source.run, source.examples, source.final, digest, scale, bias)
    embedded = {
        name: encode_texts(model, sentences, device=network.device)
        for name, sentences in texts.of(source).items()
    }
    write_checkpoint(out_dir, checkpoint, embedded)
    return checkpoint


@dataclass(frozen=True)
class DatasetImages:
    """The images of a dataset, opened in chunks.

    Attributes
    ----------
    table : the prepared table.
    places : the dataset's files and folders, as :func:`embed` takes them.
    threads : how many images are opened at once.
    what : the name that the progress bar shows.
    """

    table: pd.DataFrame
    places: Mapping[str, str]
    threads: int
    what: str

    def chunks(
        self, rows: np.ndarray, built: BuiltModel, resize: int | None
    ) -> Iterator[tuple[np.ndarray, "Tensor"]]:
        """The images of the chosen ``rows`` (positions): for each chunk positions and uint8 pixels.

        Images are resized for the model or, with ``resize``, to that number of pixels and cropped.
        """
        prepare = make_resize(built.resizing, built.size, resize)
        decoded = None
        if "cache" in self.places and resize is None:
            cache, table, contents = (self.places.get(name) for name in ("cache", "table", "contents"))
            preparation = f"{built.resizing}-{built.size}"
            decoded = find_decoded(decoded_folder(cache, preparation, table, contents), rows)
        return self._opened(rows, prepare) if decoded is None else _stored(rows, decoded)

    def _opened(self, rows: np.ndarray, resize: Any) -> Iterator[tuple[np.ndarray, "Tensor"]]:
        import torch

        examples = image_records(self.table.iloc[rows])

        def open_and_resize(example: Mapping) -> "Tensor":
            return pixels_of(resize(open_image(example, folder=self.places["raw"])))

        size = max(1, CHUNK_BYTES // open_and_resize(examples[0]).numel())
        with ThreadPool(self.threads) as pool:
            for start in progress(range(0, len(rows), size), unit="chunk", what=self.what):
                opened = pool.map(open_and_resize, examples[start : start + size])
                yield rows[start : start + size], torch.stack(opened)


def _stored(rows: np.ndarray, decoded: DecodedImages) -> Iterator[tuple[np.ndarray, "Tensor"]]:
    import torch

    size = max(1, CHUNK_BYTES // decoded.pixels[0].size)
    for start in range(0, len(rows), size):
        chunk = slice(start, start + size)
        yield rows[chunk], torch.from_numpy(decoded.pixels[decoded.places[chunk]])


def _encode_dataset(
    sources: Sequence[CheckpointSource],
    network: Network,
    images: DatasetImages,
    requested: RequestedRows,
    resize: int | None,
) -> list[dict[str, np.ndarray]]:
    """``images`` and ``features`` (pre-logits) by each checkpoint, of the rows that it embeds."""
    parts: list[list] = [[] for _ in sources]
    built = network.built
    for rows, pixels in images.chunks(np.flatnonzero(requested.final), built, resize):
        for source, part in zip(sources, parts, strict=True):
            chosen = requested.of(source)[rows]
            if chosen.any():
                encoded = encode_images(
                    network.load(source),
                    pixels if chosen.all() else pixels[chosen],
                    normalise=built.normalise,
                    device=network.device,
                )
                part.append([as_float16(values) for values in encoded])
    return [_concatenate(part) for part in parts]


def _concatenate(parts: Sequence) -> dict[str, np.ndarray]:
    if not parts:
        return {"images": np.empty((0, 0)), "features": np.empty((0, 0))}
    images, features = zip(*parts, strict=True)
    return {"images": np.concatenate(images), "features": np.concatenate(features)}
