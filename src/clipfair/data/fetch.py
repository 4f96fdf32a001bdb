"""Fetch a dataset from the mirror folder or from its owner: complete and verified, or not at all.

Downloads are our own on requests and urllib3: files of several GB must resume where a connection broke or
a job was stopped, in the same run or the next, and appear only after their checksum was verified.
"""

import hashlib
import math
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from clipfair.core.catalogue import Archive, Dataset, File, Layout
from clipfair.core.errors import UserError, progress
from clipfair.core.io import atomic_folder, read_json, sha256_of, write_json
from clipfair.data.instructions import missing_line
from clipfair.data.unpack import unpack

MANIFEST = "manifest.json"
MIB = 2**20
BROKEN_STREAM = (requests.exceptions.ChunkedEncodingError, requests.ConnectionError, requests.Timeout)


@dataclass(frozen=True)
class RetryPolicy:
    """When a download gives up: after ``attempts`` consecutive failures without a new byte.

    The pause between attempts starts at ``wait`` seconds and doubles. No data for ``timeout`` seconds is a
    failure.
    """

    attempts: int = 4
    wait: float = 0.5
    timeout: float = 30.0


def fetch_dataset(
    dataset: Dataset,
    *,
    mirror: str | None,
    partial_dir: str,
    out_dir: str,
    subset: bool = False,
    retry: RetryPolicy = RetryPolicy(),
) -> None:
    """Put the files of ``dataset`` and their ``manifest.json`` into ``out_dir``.

    ``<mirror>/<dataset id>/`` is tried first; it may contain any of the dataset's layouts, or its
    archives. Archives that it lacks are downloaded if access is open. Every published checksum and size is
    verified. An archive without a published checksum is not resumed from an earlier call, since the parts
    could come from different versions.

    Parameters
    ----------
    mirror
        An absolute path, or None.
    partial_dir
        The folder in which unfinished downloads are kept, for the next call to resume.
    out_dir
        Replaced as a whole, once everything is complete.
    subset
        Accept a partial copy in the mirror folder: its files are not compared with the published checksums
        and sizes. Downloads still are.

    Raises
    ------
    UserError
        If a file is missing, cannot be downloaded, or differs from the published one.
    """
    source = _mirror_folder(dataset, mirror)
    layout = _layout_in(dataset, source)
    with atomic_folder(out_dir) as folder:
        if layout is not None:
            origin = str(source)
            origins = _copy_layout(layout, source, folder)
        else:
            origin = "its archives"
            layout = dataset.layouts[0] if dataset.layouts else None
            origins = _fetch_archives(dataset, mirror, Path(partial_dir), folder, retry, subset=subset)
        files = _describe(folder, origins)
        if layout is not None:
            _check_layout(dataset, layout, folder, origin=origin, subset=subset)
        write_json(
            folder / MANIFEST,
            {
                "dataset": dataset.id,
                "version": dataset.version,
                "layout": layout.name if layout else None,
                "files": files,
            },
        )


def write_contents(raw: str, path: str) -> None:
    """Write the sha256 of every fetched file in ``raw``, wherever it came from; by name."""
    files = read_json(Path(raw, MANIFEST))["files"]
    write_json(path, {name: file["sha256"] for name, file in files.items()})


def mirror_folder(configured: str) -> str | None:
    """The mirror folder as an absolute path: as configured, else CLIPFAIR_MIRROR, else None."""
    folder = configured or os.environ.get("CLIPFAIR_MIRROR")
    return str(Path(folder).expanduser().absolute()) if folder else None


def in_mirror(dataset: Dataset, *, mirror: str | None) -> bool:
    """True if the mirror folder contains a complete layout, or all archives, of ``dataset``."""
    source = _mirror_folder(dataset, mirror)
    if source is None:
        return False
    archives = [(source / archive.file).is_file() for archive in dataset.archives]
    return _layout_in(dataset, source) is not None or (bool(archives) and all(archives))


def lacking_in_mirror(dataset: Dataset, *, mirror: str | None) -> list[str]:
    """Return the files that the dataset's mirror folder lacks of the layout with the fewest missing.

    Empty if there is no folder at all.
    """
    source = _mirror_folder(dataset, mirror)
    if source is None:
        return []
    forms = [_absent(layout, source) for layout in dataset.layouts]
    forms.append([archive.file for archive in dataset.archives if not (source / archive.file).is_file()])
    return min(filter(None, forms), key=len, default=[])


def check_mirror(mirror: str | None) -> None:
    """Raise :class:`UserError` if a mirror folder is named that is relative, no folder, or not readable."""
    if mirror is None:
        return
    folder, remedy = Path(mirror), "or unset mirror and CLIPFAIR_MIRROR"
    if not folder.is_absolute():
        raise UserError(f"mirror folder {mirror!r} is relative; give an absolute path")
    if not folder.exists():
        raise UserError(f"mirror folder {mirror!r} does not exist; create it, {remedy}")
    if not folder.is_dir():
        raise UserError(f"mirror folder {mirror!r} is a file; name a folder, {remedy}")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UserError(f"mirror folder {mirror!r} cannot be read; give yourself access, {remedy}")


def _mirror_folder(dataset: Dataset, mirror: str | None) -> Path | None:
    """The dataset's folder in the mirror, None if there is none."""
    if mirror is None:
        return None
    check_mirror(mirror)
    folder = Path(mirror, dataset.id)
    return folder if folder.is_dir() else None


def _layout_in(dataset: Dataset, source: Path | None) -> Layout | None:
    """The first layout whose files and folders are all in ``source``."""
    if source is None:
        return None
    return next((layout for layout in dataset.layouts if not _absent(layout, source)), None)


def _absent(layout: Layout, folder: Path) -> list[str]:
    return [file.name for file in layout.files if not _exists(folder / file.name, file)]


def _exists(path: Path, file: File) -> bool:
    return path.is_dir() if file.is_folder else path.is_file()


def _copy_layout(layout: Layout, source: Path, folder: Path) -> dict[str, str]:
    """Link or copy a layout's files; name -> origin."""
    names = []
    for file in layout.files:
        start = source / file.name
        paths = sorted(path for path in start.rglob("*") if path.is_file()) if file.is_folder else [start]
        names += [path.relative_to(source).as_posix() for path in paths]
    for name in progress(names, unit="file", what=f"copying {source.name}"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _link_or_copy(source / name, folder / name)
    return dict.fromkeys(names, "mirror")


def _link_or_copy(source: Path, target: Path) -> None:
    """Make a hard link, since datasets are large and their files are never written to; else a copy.

    A copy, without the file's mode (a mirror may be read-only), is made if the mirror is on another disk or
    the file system has no hard links.
    """
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _fetch_archives(
    dataset: Dataset,
    mirror: str | None,
    partial_dir: Path,
    folder: Path,
    retry: RetryPolicy,
    *,
    subset: bool,
) -> dict[str, str]:
    """Unpack every archive, from the mirror or downloaded; name of each file -> origin."""
    source = _mirror_folder(dataset, mirror)
    if not dataset.downloadable and not in_mirror(dataset, mirror=mirror):
        raise UserError(missing_line(dataset, mirror=mirror))
    origins = {}
    for archive in dataset.archives:
        local = source / archive.file if source else None
        if local is not None and local.is_file():
            if not subset:
                _verify(local, archive, where=f"{dataset.id}: {local}")
            origins |= dict.fromkeys(_unpack_or_copy(local, archive, folder), "mirror")
        else:
            partial = _download_verified(dataset, archive, mirror, partial_dir, retry)
            origins |= dict.fromkeys(_unpack_or_copy(partial, archive, folder), archive.url)
            partial.unlink()
    return origins


def _unpack_or_copy(path: Path, archive: Archive, folder: Path) -> Sequence[str]:
    """Unpack the archive, or copy a file that is used as it is; return the names written."""
    if archive.unpack:
        return unpack(path, folder)
    _link_or_copy(path, folder / archive.file)
    return [archive.file]


def _download_verified(
    dataset: Dataset, archive: Archive, mirror: str | None, partial_dir: Path, retry: RetryPolicy
) -> Path:
    """Download into ``partial_dir``; a file that differs from the published one is removed."""
    checksum = archive.sha256 or archive.md5
    partial = partial_dir / f"{checksum or hashlib.sha256(archive.url.encode()).hexdigest()}.part"
    partial_dir.mkdir(parents=True, exist_ok=True)
    if checksum is None:
        partial.unlink(missing_ok=True)
    try:
        _download(archive, partial, retry)
    except requests.HTTPError as error:
        reason = (
            f"{urlsplit(archive.url).netloc} answered {error.response.status_code} {error.response.reason}"
        )
        raise UserError(missing_line(dataset, mirror=mirror, reason=reason)) from None
    except requests.RequestException as error:
        reason = f"cannot download from {urlsplit(archive.url).netloc} ({type(error).__name__})"
        raise UserError(missing_line(dataset, mirror=mirror, reason=reason)) from None
    try:
        _verify(partial, archive, where=f"{dataset.id}: {archive.url}", advice="it was removed, try again")
    except UserError:
        partial.unlink()
        raise
    return partial


def _download(archive: Archive, partial: Path, retry: RetryPolicy) -> None:
    """Append to ``partial`` until the file is complete, resuming streams that break.

    urllib3 retries failed connections and busy servers. It cannot resume a response whose body breaks off,
    so that is done here.
    """
    connection_retry = Retry(
        total=retry.attempts - 1,
        backoff_factor=retry.wait,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
    )
    furthest, failures = _size(partial), 0
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=connection_retry))
        while archive.size is None or _size(partial) < archive.size:
            response = _request(session, archive.url, offset=_size(partial), timeout=retry.timeout)
            if response is None:
                return
            try:
                with response:
                    _append(response, partial, archive)
                return
            except BROKEN_STREAM:
                failures = 1 if _size(partial) > furthest else failures + 1
                furthest = max(furthest, _size(partial))
                if failures == retry.attempts:
                    raise
                time.sleep(retry.wait * 2 ** (failures - 1))


def _request(session: requests.Session, url: str, *, offset: int, timeout: float) -> requests.Response | None:
    """Request the bytes from ``offset`` on; None if there are none."""
    # Without identity encoding some servers decompress a .gz in transit, which makes offsets meaningless.
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    response = session.get(url, headers=headers, stream=True, timeout=timeout)
    if not response.ok:
        response.close()
    if offset and response.status_code == requests.codes.requested_range_not_satisfiable:
        return None
    response.raise_for_status()
    return response


def _append(response: requests.Response, partial: Path, archive: Archive) -> None:
    """Write the body; a server that ignores Range sends the whole file, which replaces the partial one."""
    resumed = response.status_code == requests.codes.partial_content
    length = response.headers.get("Content-Length")
    blocks = response.iter_content(MIB)
    total = math.ceil(int(length) / MIB) if length else None
    with partial.open("ab" if resumed else "wb") as file:
        for block in progress(blocks, total=total, unit="MiB", what=archive.file):
            file.write(block)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _verify(path: Path, published: Archive | File, **message: str) -> None:
    """Compare with the published size and checksum; ``message`` is for :func:`_expect`."""
    if published.size is not None:
        _expect("size", _size(path), published.size, **message)
    if published.sha256 is not None:
        _expect("sha256", sha256_of(path), published.sha256, **message)
    elif published.md5 is not None:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        _expect("md5", digest, published.md5, **message)


def _expect(
    what: str, got: object, expected: object, *, where: str, advice: str = "replace it, or remove it"
) -> None:
    if got != expected:
        raise UserError(
            f"{where}: {what} is {got}, expected {expected}; damaged, or not the published version: {advice}"
        )


def _describe(folder: Path, origins: dict[str, str]) -> dict[str, dict]:
    """Size, sha256 and origin of every file, by name."""
    return {
        name: {
            "size": _size(folder / name),
            "sha256": sha256_of(folder / name),
            "source": origins[name],
        }
        for name in progress(sorted(origins), unit="file", what="checking")
    }


def _check_layout(dataset: Dataset, layout: Layout, folder: Path, *, origin: str, subset: bool) -> None:
    """Check that every file of the layout exists and, except for a subset, is as published."""
    absent = _absent(layout, folder)
    if absent:
        raise UserError(
            f"{dataset.id}: {', '.join(absent)} not in {origin}; replace it with the published version"
        )
    if not subset:
        for file in layout.files:
            _verify(folder / file.name, file, where=f"{dataset.id}: {file.name} in {origin}")
