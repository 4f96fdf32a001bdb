"""Differences between two builds of a result: in its bytes, its numbers and its provenance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.core.io import read_json, sha256_of
from clipfair.core.provenance import settings_digest


@dataclass(frozen=True)
class Difference:
    """Two builds of one file.

    Attributes
    ----------
    identical : they have the same bytes.
    largest : the largest difference between two of their numbers.
    relative : the largest ratio of such a difference to the largest number of its column, array or key.
    other : texts, names, shapes or undefined values differ.
    missing : one of the files is missing.
    """

    identical: bool
    largest: float = 0.0
    relative: float = 0.0
    other: bool = False
    missing: bool = False


def compare(recorded: str | Path, rebuilt: str | Path) -> list[tuple[str, Difference]]:
    """Compare two files, or two folders in all files that are recorded: pairs of name and difference.

    Not every file of a folder is recorded (docs/dvc.md).
    """
    recorded, rebuilt = Path(recorded), Path(rebuilt)
    if not recorded.is_dir():
        return [(recorded.name, compare_files(recorded, rebuilt))]
    files = (file for file in recorded.rglob("[!.]*") if file.is_file())  # Snakemake's time stamps are hidden
    names = sorted(str(file.relative_to(recorded)) for file in files)
    return [(name, compare_files(recorded / name, rebuilt / name)) for name in names]


def compare_files(recorded: Path, rebuilt: Path) -> Difference:
    """Compare two files of one format."""
    if not (recorded.is_file() and rebuilt.is_file()):
        return Difference(identical=False, missing=True)
    if sha256_of(recorded) == sha256_of(rebuilt):
        return Difference(identical=True)
    mine, theirs = dict(_arrays(recorded)), dict(_arrays(rebuilt))
    largest = relative = 0.0
    other = mine.keys() != theirs.keys()
    for name in mine.keys() & theirs.keys():
        left, right = mine[name], theirs[name]
        if left.shape != right.shape or left.dtype.kind not in "fiub" or right.dtype.kind not in "fiub":
            other |= not np.array_equal(left, right)
            continue
        left, right = left.astype(float), right.astype(float)
        other |= bool((np.isnan(left) != np.isnan(right)).any())
        gap = np.nan_to_num(np.abs(left - right)).max(initial=0.0)
        scale = np.nan_to_num(np.abs(left)).max(initial=0.0)
        largest, relative = max(largest, gap), max(relative, gap / scale if scale else gap)
    return Difference(False, float(largest), float(relative), other)


def reasons(recorded: str | Path, rebuilt: str | Path) -> list[str]:
    """Differences between two specs that may explain a difference, ``<name>: <recorded> / <rebuilt>``."""
    if not (Path(recorded).is_file() and Path(rebuilt).is_file()):
        return ["no record of what made it"]
    mine, theirs = (dict(_facts(read_json(path))) for path in (recorded, rebuilt))
    return [
        f"{name}: {mine.get(name, 'not recorded')} / {theirs.get(name, 'not recorded')}"
        for name in dict.fromkeys([*mine, *theirs])
        if mine.get(name) != theirs.get(name)
    ]


def _facts(spec: Mapping) -> Iterator[tuple[str, object]]:
    known = spec.get("environment", {})
    yield "processor", known.get("processor", {}).get("model", "not recorded")
    for name in ("numerics", "machine", "libc", "python"):
        yield name, known.get(name, "not recorded")
    yield from known.get("packages", {}).items()
    yield "code", spec.get("code")
    yield "settings", settings_digest(spec.get("settings", {}))
    for name, file in spec.get("inputs", {}).items():
        yield f"input {Path(name).name}", file["sha256"][:8]


def _arrays(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The content of a file as named arrays."""
    match path.suffix:
        case ".safetensors":
            from safetensors.numpy import load_file

            yield from load_file(path).items()
        case ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                yield from {name: arrays[name] for name in arrays.files}.items()
        case ".parquet" | ".csv":
            frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
            yield from ((str(name), _plain(frame[name])) for name in frame)
        case ".json":
            yield from _leaves(read_json(path))
        case _:
            yield "bytes", np.array([sha256_of(path)])


def _plain(column: pd.Series) -> np.ndarray:
    return column.to_numpy() if pd.api.types.is_numeric_dtype(column) else column.astype(str).to_numpy(str)


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """The values of nested mappings and lists; digests of inputs are left out, as they say nothing new."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not key.endswith("digest"):
                yield from _leaves(item, f"{name}/{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{name}/{number}")
    else:
        yield name, np.asarray(np.nan if value is None else value)
