"""Unpack an archive that need not be trusted: nothing is written outside its folder."""

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO

from clipfair.core.errors import UserError, progress

DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    FileExistsError,  # a name is both a file and a folder
    IsADirectoryError,
    NotADirectoryError,
)
# Published archives of text and images shrink by less than 20; a bomb needs far more than 100.
MAX_RATIO = 100
ALWAYS_ALLOWED = 64 * 2**20


@dataclass(frozen=True)
class Member:
    """One regular file of an archive: its name, its size in bytes and how to read it."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: str | Path, folder: str | Path) -> list[str]:
    """Unpack a zip or tar archive (plain, gz, bz2 or xz) into ``folder``.

    Only regular files are written, without their permissions. A link is written as a copy of the
    member that it points to, so that no later member can be written through it; empty folders
    are left out.

    Returns
    -------
    The names written, relative to ``folder``, in the archive's order.

    Raises
    ------
    UserError
        If the archive is damaged, is not an archive, names a path outside ``folder``, holds a
        device or a link to something outside, or grows beyond ``MAX_RATIO`` times its size.
    """
    archive = Path(archive)
    room = max(ALWAYS_ALLOWED, MAX_RATIO * archive.stat().st_size)
    written = []
    try:
        for member in progress(_members(archive), unit="file", what=f"unpacking {archive.name}"):
            room -= member.size
            if room < 0:
                raise UserError(
                    f"{archive.name}: unpacks to more than {MAX_RATIO} times its size; "
                    "not the published archive, remove it"
                )
            target = Path(folder, _inside(member.name, archive.name))
            target.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            written.append(target.relative_to(folder).as_posix())
    except DAMAGE as error:
        raise UserError(f"{archive.name}: damaged archive ({error}); remove it and fetch it again") from None
    return written


def _members(archive: Path) -> Iterator[Member]:
    # tar first: a tar that holds a small zip ends like a zip.
    if tarfile.is_tarfile(archive):
        return _tar_members(archive)
    if zipfile.is_zipfile(archive):
        return _zip_members(archive)
    raise UserError(f"{archive.name}: neither a zip nor a tar archive; remove it and fetch it again")


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            # The upper half of external_attr is the Unix mode, 0 where a system without modes made it.
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.filename.endswith("/"):  # a folder; is_dir() breaks on an empty name
                continue
            if kind not in (0, stat.S_IFREG):
                raise UserError(
                    f"{archive.name}: {info.filename!r} is a link or a device; remove the archive"
                )
            if info.flag_bits & 0x1:
                raise UserError(f"{archive.name}: {info.filename!r} is encrypted; not the published archive")
            yield Member(info.filename, info.file_size, lambda info=info: opened.open(info))


def _tar_members(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive) as opened:
        for info in opened:
            if info.isdir():
                continue
            yield Member(info.name, _tar_size(info, opened), lambda info=info: _tar_open(info, opened))


def _tar_size(info: tarfile.TarInfo, opened: tarfile.TarFile) -> int:
    """The size of what will be written: of the target where ``info`` is a link."""
    if info.isreg():
        return info.size
    with _tar_open(info, opened) as target:
        return target.seek(0, 2)


def _tar_open(info: tarfile.TarInfo, opened: tarfile.TarFile) -> IO[bytes]:
    try:
        # For a link this is the archive's own member that it points to; KeyError where there is
        # none, RecursionError where links go in a circle.
        stream = opened.extractfile(info)
    except (KeyError, RecursionError):
        stream = None
    if stream is None:
        raise UserError(
            f"{Path(opened.name).name}: {info.name!r} is a device or a link to nothing in the archive; "
            "remove the archive"
        )
    return stream


def _inside(name: str, archive: str) -> str:
    """``name`` if it stays inside its folder under the rules of Unix and of Windows."""
    # Windows paths split at both kinds of slash and know drives, so one check serves both systems.
    path = PureWindowsPath(name)
    if path.anchor or ".." in path.parts or not path.parts or "\0" in name:
        raise UserError(f"{archive}: {name!r} would be written outside its folder; remove the archive")
    return name
