"""Published or local weights: fetched and checked like the files of a dataset, stored as .safetensors."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load, save

from clipfair.core.catalogue import Archive, Dataset
from clipfair.core.io import atomic_path
from clipfair.data.fetch import fetch_dataset
from clipfair.models.checkpoints import read_weights
from clipfair.models.local_weights import check_local_weights

# The prefix of the image tower in the original BLIP2 code, which leaves it out of checkpoints.
FROZEN_TOWER = "visual_encoder."


def fetch_weights(
    model: str,
    weights: Mapping[str, Any],
    *,
    tower: str | None = None,
    mirror: str | None,
    partial_dir: str,
    out_path: str,
) -> None:
    """Write the published weights of a model as .safetensors, from a mirror folder or their publisher.

    Parameters
    ----------
    model
        Its id: ``<mirror>/<id>/<file>`` is tried first.
    weights
        Its entry: ``url`` and ``sha256`` (None if it is not published) of a file that
        :func:`clipfair.models.checkpoints.read_weights` reads; or ``file``, its path, instead of ``url``.
    tower
        The fetched weights of a CLIP with the image tower that a checkpoint of BLIP2 lacks, because the tower
        was frozen; they are added as ``visual_encoder.*``.
    mirror, partial_dir
        As for :func:`clipfair.data.fetch.fetch_dataset`.

    Raises
    ------
    UserError
        If the file cannot be fetched, has another sha256, or contains no weights.
    """
    if "file" in weights:
        state = read_weights(check_local_weights(model, weights))
    else:
        with _fetched(model, "weights", weights, mirror=mirror, partial_dir=partial_dir) as path:
            state = read_weights(path, where=f"{model}: {weights['url']}")
    if tower is not None:
        state = {name: value for name, value in state.items() if not name.startswith(FROZEN_TOWER)}
        for name, value in load(Path(tower).read_bytes()).items():
            if name.startswith("visual."):
                state[FROZEN_TOWER + name.removeprefix("visual.")] = value
    with atomic_path(out_path) as temporary:
        temporary.write_bytes(save(state))


def fetch_vocabulary(
    model: str, source: Mapping[str, Any], *, mirror: str | None, partial_dir: str, out_path: str
) -> None:
    """Write the published vocabulary (``url``, ``sha256``) of a tokenizer, as :func:`fetch_weights` does."""
    with (
        _fetched(model, "vocabulary", source, mirror=mirror, partial_dir=partial_dir) as path,
        atomic_path(out_path) as temporary,
    ):
        shutil.copyfile(path, temporary)


@contextlib.contextmanager
def _fetched(
    model: str, what: str, source: Mapping[str, Any], *, mirror: str | None, partial_dir: str
) -> Iterator[Path]:
    """Fetch one published file, checked like a dataset's; it is removed after the block.

    Its folder always has the same name, so that the next call removes what a killed one left.
    """
    name = source["url"].rpartition("/")[2]
    published = Dataset(
        id=model,
        title=f"{what} of {model}",
        kind="weights",
        version=source["sha256"] or "unknown",
        access="open",
        licence=source.get("licence", "its owner's"),
        citation=source["url"],
        homepage=source["url"],
        archives=(Archive(name, url=source["url"], sha256=source["sha256"], unpack=False),),
    )
    folder = Path(partial_dir, f"{model}-{what}")
    try:
        fetch_dataset(published, mirror=mirror, partial_dir=partial_dir, out_dir=str(folder))
        yield folder / name
    finally:
        shutil.rmtree(folder, ignore_errors=True)
