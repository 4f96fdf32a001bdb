"""Reading and writing files: every write is atomic, every digest is sha256."""

import contextlib
import errno
import glob
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path`` and rename it to ``path`` if the block succeeds.

    On any error the temporary file is removed and ``path`` is left as it was, so that nobody reads an
    incomplete file. What a killed process of this machine left of an earlier attempt is removed first.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(target)
    temporary = target.with_name(f"{_temporary_prefix(target)}{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with _naming_full_disk(target):
            yield temporary
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_stale(target: Path) -> None:
    """Remove the temporary files of a target whose writers do not run any more.

    Processes of other machines cannot be checked, so their files stay.
    """
    prefix = _temporary_prefix(target)
    for left in target.parent.glob(f"{glob.escape(prefix)}*.tmp"):
        writer = left.name.removeprefix(prefix).partition(".")[0]
        if writer.isdecimal() and not _is_running(int(writer)):
            left.unlink(missing_ok=True)


def _temporary_prefix(target: Path) -> str:
    return f".{target.name}.{socket.gethostname()}."


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 only asks whether it could be sent
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# numpy's error where an array does not fit on the disk; it has no errno.
_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")


@contextlib.contextmanager
def _naming_full_disk(target: Path) -> Iterator[None]:
    """Put the target into errors of a full disk, which name no file when they come from a write."""
    try:
        yield
    except OSError as error:
        if error.errno is None and _SHORT_WRITE.search(str(error)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from None
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and error.filename is None:
            error.filename = str(target)
        raise


def reserve(path: str | Path) -> None:
    """Reserve the disk space of a file that is to be written through a memory map, where the system can.

    Otherwise the file is sparse, and a full disk kills the process that writes to the map.
    """
    if hasattr(os, "posix_fallocate"):
        with Path(path).open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, Path(path).stat().st_size)


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
        with _naming_full_disk(target):
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


def read_json(path: str | Path, *, remedy: str = "delete it and run again") -> object:
    """Read a JSON file.

    Raises
    ------
    UserError
        If it is damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); {remedy}") from None


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
