"""The files of embeddings, which embedding writes and evaluations read.

    seed~<s>/examples~<n>/record.json        the checkpoint: its run, digest, temperature and bias
    seed~<s>/examples~<n>/texts.npz          one array for each set of texts, by the set's digest
    seed~<s>/examples~<n>/<dataset>.npz      keys, images, features
    seed~<s>/examples~<n>/<dataset>~<r>.npz  the same of images that were resized to r pixels, then cropped

Arrays are 16-bit floats. For embeddings of unit length the relative error of a component is at most 5e-4
and the error of a cosine about 1e-5, which changes metrics by about 0.01 percentage points. Each file holds
the digest of its model, so that a file of another model is refused.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from clipfair.core.errors import UserError
from clipfair.core.io import atomic_path, read_json, write_json
from clipfair.core.paths import Run

RECORD = "record.json"
TEXTS = "texts.npz"
REMEDY = "delete the folder of its batch and run again, which embeds it again"


@dataclass(frozen=True)
class Checkpoint:
    """A model at one point of its training.

    Attributes
    ----------
    run : the run that trained it.
    examples : the number of training examples so far.
    final : True for the run's result, False for a snapshot during training.
    digest : the digest of its weights.
    scale : exp(logit_scale): the inverse of the temperature.
    bias : the sigmoid loss's bias, 0 without.
    """

    run: Run
    examples: int
    final: bool
    digest: str
    scale: float
    bias: float

    @property
    def folder(self) -> str:
        """Its folder, relative to the folder of its batch."""
        return f"seed~{self.run.seed}/examples~{self.examples}"


@dataclass(frozen=True)
class ImageEmbeddings:
    """The embeddings of a dataset's images by one checkpoint.

    Attributes
    ----------
    keys : (n,) str.
    images : (n, r) float32 of unit length.
    features : (n, d) float32, the pre-logits.
    """

    keys: np.ndarray
    images: np.ndarray
    features: np.ndarray


def write_checkpoint(folder: str | Path, checkpoint: Checkpoint, texts: Mapping[str, np.ndarray]) -> None:
    """Write the record of a checkpoint, and its text embeddings by the digest of their set."""
    place = Path(folder, checkpoint.folder)
    _write_arrays(place / TEXTS, checkpoint, {name: as_float16(values) for name, values in texts.items()})
    write_json(place / RECORD, {**asdict(checkpoint), "run": asdict(checkpoint.run)})


def write_images(
    folder: str | Path,
    checkpoint: Checkpoint,
    dataset: str,
    *,
    keys: Sequence[str],
    images: np.ndarray,
    features: np.ndarray,
    data_digest: str,
    resize: int | None = None,
) -> None:
    """Write the embeddings of the examples ``keys`` of a dataset whose table has ``data_digest``.

    ``resize`` is the side, in pixels, that their images were resized to before the central crop; None if
    they were resized to the model's image size.
    """
    arrays = {
        "keys": np.array([key.encode() for key in keys]),
        "images": as_float16(images),
        "features": as_float16(features),
        "data": np.array(data_digest),
    }
    _write_arrays(_images_path(folder, checkpoint, dataset, resize), checkpoint, arrays)


def read_checkpoints(folder: str | Path, run: Run) -> list[Checkpoint]:
    """The checkpoints of a run in the order of training; the last is final.

    Raises
    ------
    UserError
        If there is none, or a record belongs to another run.
    """
    records = sorted(Path(folder, f"seed~{run.seed}").glob(f"examples~*/{RECORD}"))
    found = []
    for path in records:
        entry = read_json(path)
        if Run(**entry["run"]) != run:
            raise UserError(f"{path}: belongs to run {Run(**entry['run']).key}, expected {run.key}; {REMEDY}")
        found.append(Checkpoint(**{**entry, "run": run}))
    if not any(checkpoint.final for checkpoint in found):
        raise UserError(f"{folder}: no embeddings of {run.key}; {REMEDY}")
    return sorted(found, key=lambda checkpoint: checkpoint.examples)


def read_texts(folder: str | Path, checkpoint: Checkpoint, digest: str) -> np.ndarray:
    """One set of texts, (k, r) float32.

    Raises
    ------
    UserError
        If the file is of another model or does not hold the set.
    """
    path = Path(folder, checkpoint.folder, TEXTS)
    arrays = _open_arrays(path, checkpoint)
    if digest not in arrays:
        raise UserError(
            f"{path}: the texts of this evaluation are not in it, since they have changed; {REMEDY}"
        )
    return arrays[digest].astype(np.float32)


def read_images(
    folder: str | Path, checkpoint: Checkpoint, dataset: str, *, data_digest: str, resize: int | None = None
) -> ImageEmbeddings:
    """The embeddings of a dataset whose table has ``data_digest``, with ``resize`` as they were written.

    Raises
    ------
    UserError
        If the file is missing, or of another model or table.
    """
    path = _images_path(folder, checkpoint, dataset, resize)
    arrays = _open_arrays(path, checkpoint)
    if str(arrays["data"]) != data_digest:
        raise UserError(f"{path}: embeddings of another version of the data; {REMEDY}")
    return ImageEmbeddings(
        keys=np.array([key.decode() for key in arrays["keys"]], dtype=object),
        images=arrays["images"].astype(np.float32),
        features=arrays["features"].astype(np.float32),
    )


def as_float16(values: np.ndarray) -> np.ndarray:
    """``values`` as 16-bit floats.

    Raises
    ------
    UserError
        If a value is not finite, or too large.
    """
    with np.errstate(over="ignore"):
        rounded = np.asarray(values).astype(np.float16)
    if not np.isfinite(rounded).all():
        raise UserError("an embedding is not finite: the model diverged; train it with a lower learning rate")
    return rounded


def _images_path(folder: str | Path, checkpoint: Checkpoint, dataset: str, resize: int | None) -> Path:
    name = dataset if resize is None else f"{dataset}~{resize}"
    return Path(folder, checkpoint.folder, f"{name}.npz")


def _write_arrays(path: Path, checkpoint: Checkpoint, arrays: Mapping[str, np.ndarray]) -> None:
    stream = io.BytesIO()
    np.savez(stream, model=np.array(checkpoint.digest), **arrays)
    with atomic_path(path) as temporary:
        temporary.write_bytes(stream.getbuffer())


def _open_arrays(path: Path, checkpoint: Checkpoint) -> np.lib.npyio.NpzFile:
    if not path.is_file():
        raise UserError(f"{path}: no such embeddings; {REMEDY}")
    arrays = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    if str(arrays["model"]) != checkpoint.digest:
        raise UserError(f"{path}: embeddings of another model; {REMEDY}")
    return arrays
