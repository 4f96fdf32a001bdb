"""Where the files of an uncompressed tar lie in it, so that it need not be unpacked."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clipfair.core.errors import UserError

BLOCK = 512


@dataclass(frozen=True)
class Member:
    """A regular file of a tar: its name, and its place in bytes."""

    name: str
    offset: int
    size: int


def members(path: str | Path) -> Iterator[Member]:
    """The regular files of a tar, in order; of a tar within it, those in that, named ``inner.tar/name``.

    Raises
    ------
    UserError
        If the tar, or one within it, is missing, damaged or cut off; the error names the last good file.
    """
    last = "none"
    try:
        with Path(path).open("rb") as stream:
            for member in _walk(stream, prefix="", start=0):
                last = member.name
                yield member
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; fetch the dataset again") from None
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{path}: damaged tar ({error}) after {last!r}; fetch it again") from None


def _walk(stream: IO[bytes], *, prefix: str, start: int) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        for info in tar:
            place = start + info.offset_data
            if info.isreg() and info.name.endswith(".tar"):
                with tar.extractfile(info) as inner:
                    yield from _walk(inner, prefix=f"{prefix}{info.name}/", start=place)
            elif info.isreg():
                yield Member(prefix + info.name, place, info.size)
        # tarfile takes a damaged header after the first for the end of the archive.
        stream.seek(tar.offset)
        if stream.read(BLOCK) != bytes(BLOCK):
            raise tarfile.ReadError("no mark at its end")
