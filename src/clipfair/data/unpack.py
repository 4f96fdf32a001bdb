"""Unpack an untrusted archive: nothing is written outside its folder, and not more than is plausible."""

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
# Published archives of text and images have ratios below 20; a decompression bomb needs far more than 100.
MAX_RATIO = 100
ALWAYS_ALLOWED = 64 * 2**20


@dataclass(frozen=True)
class ArchiveMember:
    """One file of an archive: its checked name, its size in bytes and a function that opens it."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: str | Path, folder: str | Path) -> list[str]:
    """Unpack a zip or tar archive (plain, gz, bz2 or xz) into ``folder``.

    Only regular files are written, without their permissions. A link is written as a copy of the
    member that it points to, so that no later member can be written through it. Empty folders are left
    out. Members of a tar pass :func:`tarfile.data_filter`, which also strips a leading slash.

    Returns
    -------
    The names written, relative to ``folder``, in the archive's order.

    Raises
    ------
    UserError
        If the file is damaged or not an archive; if a member would be written outside ``folder``, is a
        device, or a link to something outside; if the files exceed ``MAX_RATIO`` times the archive's size.
    """
    archive = Path(archive)
    allowed = max(ALWAYS_ALLOWED, MAX_RATIO * archive.stat().st_size)
    written = []
    try:
        for member in progress(
            _members(archive, Path(folder)), unit="file", what=f"unpacking {archive.name}"
        ):
            allowed -= member.size
            if allowed < 0:
                raise UserError(
                    f"{archive}: unpacks to more than {MAX_RATIO} times its size; "
                    "not the published archive, remove it"
                )
            target = Path(folder, member.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            written.append(target.relative_to(folder).as_posix())
    except tarfile.FilterError as error:
        raise UserError(f"{archive}: {error}; remove the archive") from None
    except DAMAGE as error:
        raise UserError(f"{archive}: damaged archive ({error}); remove it and fetch it again") from None
    return written


def _members(archive: Path, folder: Path) -> Iterator[ArchiveMember]:
    # tar first: a tar that contains a small zip ends like a zip.
    if tarfile.is_tarfile(archive):
        return _tar_members(archive, folder)
    if zipfile.is_zipfile(archive):
        return _zip_members(archive)
    raise UserError(f"{archive}: neither a zip nor a tar archive; remove it and fetch it again")


def _zip_members(archive: Path) -> Iterator[ArchiveMember]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            # The upper half of external_attr is the Unix mode; 0 if the archive was made without modes.
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.filename.endswith("/"):  # a folder; is_dir() breaks on an empty name
                continue
            if kind not in (0, stat.S_IFREG):
                raise UserError(f"{archive}: {info.filename!r} is a link or a device; remove the archive")
            if info.flag_bits & 0x1:
                raise UserError(f"{archive}: {info.filename!r} is encrypted; not the published archive")
            _check_zip_name(info.filename, archive)
            yield ArchiveMember(info.filename, info.file_size, lambda info=info: opened.open(info))


def _check_zip_name(name: str, archive: Path) -> None:
    """Raise unless ``name`` stays inside its folder under the rules of Unix and of Windows."""
    # Windows paths split at both kinds of slash and have drives, so one check covers both systems.
    path = PureWindowsPath(name)
    if path.anchor or ".." in path.parts or not path.parts or "\0" in name:
        raise UserError(f"{archive}: {name!r} would be written outside its folder; remove the archive")


def _tar_members(archive: Path, folder: Path) -> Iterator[ArchiveMember]:
    with tarfile.open(archive) as opened:
        for info in opened:
            name = tarfile.data_filter(info, str(folder)).name
            if not info.isdir():
                yield ArchiveMember(name, _tar_size(info, opened), lambda info=info: _tar_open(info, opened))


def _tar_size(info: tarfile.TarInfo, opened: tarfile.TarFile) -> int:
    """The size of the file to write: for a link, the size of its target."""
    if info.isreg():
        return info.size
    with _tar_open(info, opened) as target:
        return target.seek(0, 2)


def _tar_open(info: tarfile.TarInfo, opened: tarfile.TarFile) -> IO[bytes]:
    try:
        # For a link this is the member of the archive that it points to: KeyError if there is none,
        # RecursionError if links form a cycle.
        stream = opened.extractfile(info)
    except (KeyError, RecursionError):
        stream = None
    if stream is None:
        raise UserError(
            f"{opened.name}: {info.name!r} is a link to nothing in the archive; remove the archive"
        )
    return stream
