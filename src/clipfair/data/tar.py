"""The files of an uncompressed tar and where their bytes are, so that the tar is read in place."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clipfair.core.errors import UserError

BLOCK = 512  # bytes; every header and the end-of-archive mark fill whole blocks


@dataclass(frozen=True)
class TarMember:
    """A regular file of a tar: its name, and the position and number of its bytes."""

    name: str
    offset: int
    size: int

    def read(self, stream: IO[bytes]) -> bytes:
        """The content, from the open tar; shorter than ``size`` if the tar is."""
        stream.seek(self.offset)
        return stream.read(self.size)


def list_members(path: str | Path, *, nested: bool = False) -> Iterator[TarMember]:
    """Yield the regular files of a tar in order.

    Parameters
    ----------
    nested
        List the files of a tar within the tar, named ``inner.tar/name``, instead of that inner tar.

    Raises
    ------
    UserError
        If a tar is missing, damaged or truncated. The message names the last file found.
    """
    last = None
    try:
        with Path(path).open("rb") as stream:
            for member in _walk(stream, prefix="", start=0, nested=nested):
                last = member.name
                yield member
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; fetch the dataset again") from None
    except (tarfile.TarError, EOFError) as error:
        place = "before its first file" if last is None else f"at or after {last!r}"
        raise UserError(f"{path}: damaged, or no tar ({error}) {place}; fetch it again") from None


def _walk(stream: IO[bytes], *, prefix: str, start: int, nested: bool) -> Iterator[TarMember]:
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        for info in tar:
            offset = start + info.offset_data
            if nested and info.isreg() and info.name.endswith(".tar"):
                with tar.extractfile(info) as inner:
                    yield from _walk(inner, prefix=f"{prefix}{info.name}/", start=offset, nested=True)
            elif info.isreg():
                yield TarMember(prefix + info.name, offset, info.size)
        # tarfile takes a damaged header after the first for the end of the archive.
        stream.seek(tar.offset)
        if stream.read(BLOCK) != bytes(BLOCK):
            raise tarfile.ReadError("no end-of-archive mark")
