"""The files of embeddings: what embedding writes and every evaluation reads.

    seed~<s>/examples~<n>/record.json        what checkpoint, its digest, its temperature and bias
    seed~<s>/examples~<n>/texts.npz          an array for each set of texts, by the set's digest
    seed~<s>/examples~<n>/<dataset>.npz      keys, images, features

Arrays are 16-bit floats. Of an embedding of unit length that is 5e-4 of each number at most, and some
1e-5 of a cosine: a hundredth of a percent point of what is measured. Each file names the digest of its
model, so that one of another model is refused.
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
ADVICE = "delete its batch's folder and let it be embedded again"


@dataclass(frozen=True)
class Checkpoint:
    """A model at one point of its training.

    Attributes
    ----------
    run : the run that trained it.
    examples : how many it had seen.
    final : whether it is the run's result, not a snapshot on the way.
    digest : of its weights.
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
        """Its place within the folder of its batch."""
        return f"seed~{self.run.seed}/examples~{self.examples}"


@dataclass(frozen=True)
class Images:
    """The images of a dataset as one checkpoint sees them.

    ``keys`` (n,) text; ``images`` (n, r) of unit length and ``features`` (n, d), the pre-logits, float32.
    """

    keys: np.ndarray
    images: np.ndarray
    features: np.ndarray


def write_checkpoint(folder: str | Path, checkpoint: Checkpoint, texts: Mapping[str, np.ndarray]) -> None:
    """Write the record of a checkpoint, and its text embeddings by the digest of their set."""
    place = Path(folder, checkpoint.folder)
    _write_arrays(place / TEXTS, checkpoint, {name: halves(values) for name, values in texts.items()})
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
) -> None:
    """Write the embeddings of the examples ``keys`` of a dataset whose table has ``data_digest``."""
    arrays = {
        "keys": np.array([key.encode() for key in keys]),
        "images": halves(images),
        "features": halves(features),
        "data": np.array(data_digest),
    }
    _write_arrays(Path(folder, checkpoint.folder, f"{dataset}.npz"), checkpoint, arrays)


def read_checkpoints(folder: str | Path, run: Run) -> list[Checkpoint]:
    """The checkpoints of a run, by examples seen; the last is final.

    Raises
    ------
    UserError
        If there is none, or a record is that of another run.
    """
    records = sorted(Path(folder, f"seed~{run.seed}").glob(f"examples~*/{RECORD}"))
    found = []
    for path in records:
        entry = read_json(path)
        if Run(**entry["run"]) != run:
            raise UserError(f"{path}: of run {Run(**entry['run']).key}, expected {run.key}; {ADVICE}")
        found.append(Checkpoint(**{**entry, "run": run}))
    if not any(checkpoint.final for checkpoint in found):
        raise UserError(f"{folder}: no embeddings of {run.key}; {ADVICE}")
    return sorted(found, key=lambda checkpoint: checkpoint.examples)


def read_texts(folder: str | Path, checkpoint: Checkpoint, digest: str) -> np.ndarray:
    """One set of texts, (k, r) float32.

    Raises
    ------
    UserError
        If the file is of another model or lacks the set.
    """
    path = Path(folder, checkpoint.folder, TEXTS)
    arrays = _open_arrays(path, checkpoint)
    if digest not in arrays:
        raise UserError(f"{path}: not the texts of this evaluation, which changed since; {ADVICE}")
    return arrays[digest].astype(np.float32)


def read_images(folder: str | Path, checkpoint: Checkpoint, dataset: str, *, data_digest: str) -> Images:
    """The embeddings of a dataset whose table has ``data_digest``.

    Raises
    ------
    UserError
        If the file is missing, or of another model or table.
    """
    path = Path(folder, checkpoint.folder, f"{dataset}.npz")
    arrays = _open_arrays(path, checkpoint)
    if str(arrays["data"]) != data_digest:
        raise UserError(f"{path}: made from another version of the data; {ADVICE}")
    return Images(
        keys=np.array([key.decode() for key in arrays["keys"]], dtype=object),
        images=arrays["images"].astype(np.float32),
        features=arrays["features"].astype(np.float32),
    )


def halves(values: np.ndarray) -> np.ndarray:
    """``values`` as 16-bit floats.

    Raises
    ------
    UserError
        If one is not finite.
    """
    with np.errstate(over="ignore"):
        halves = np.asarray(values).astype(np.float16)
    if not np.isfinite(halves).all():
        raise UserError("an embedding is not finite: the model diverged; train it with a lower learning rate")
    return halves


def _write_arrays(path: Path, checkpoint: Checkpoint, arrays: Mapping[str, np.ndarray]) -> None:
    stream = io.BytesIO()
    np.savez(stream, model=np.array(checkpoint.digest), **arrays)
    with atomic_path(path) as temporary:
        temporary.write_bytes(stream.getbuffer())


def _open_arrays(path: Path, checkpoint: Checkpoint) -> np.lib.npyio.NpzFile:
    if not path.is_file():
        raise UserError(f"{path}: no such embeddings; {ADVICE}")
    arrays = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    if str(arrays["model"]) != checkpoint.digest:
        raise UserError(f"{path}: embeddings of another model; {ADVICE}")
    return arrays
