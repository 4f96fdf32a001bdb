"""Reading and writing files: every write is atomic, every digest is sha256."""

import contextlib
import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path`` and rename it to ``path`` if the block succeeds.

    On any error the temporary file is removed and ``path`` is left as it was, so that nobody reads an
    incomplete file.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary folder and rename it to ``path`` if the block succeeds.

    On any error it is removed and ``path`` is left as it was. Its name is always the same, so that the next
    process removes what a killed one left. Two processes must not write one folder at the same time.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if target.exists():
            shutil.rmtree(target)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: object) -> None:
    """Write ``value`` as indented JSON; NaN and infinity are refused (JSON has neither)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> object:
    """Read a JSON file.

    Raises
    ------
    UserError
        If it is damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); delete it and run again") from None


def write_csv(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a data frame without its index, with floats in their shortest exact form."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False)


def write_parquet(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a data frame without its index."""
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary, index=False)


def sha256_of(path: str | Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_folder(folder: str | Path) -> str:
    """Return the sha256 of the names and bytes of all files below a folder, in hexadecimal."""
    root = Path(folder)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    # Snakemake writes an empty hidden file into folders that are outputs.
    ours = [path for path in files if path.name != ".snakemake_timestamp"]
    lines = [f"{sha256_of(path)}  {path.relative_to(root).as_posix()}" for path in ours]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
