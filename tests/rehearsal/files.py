"""Small files in published formats: images, archives, MATLAB tables."""

import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

SIZE = (48, 40)


def image_of(label: int, number: int, form: str = "jpeg") -> bytes:
    """Return a small image: the colour of its class and noise of its own."""
    colour = np.random.default_rng(label).integers(40, 216, size=3)
    noise = np.random.default_rng([label, number]).normal(0, 25, size=(SIZE[1], SIZE[0], 3))
    stream = io.BytesIO()
    Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8)).save(stream, form)
    return stream.getvalue()


def write_files(folder: Path, files: Mapping[str, bytes | str]) -> None:
    """Write files, name -> content, into a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def lines(rows: Iterable[object]) -> str:
    """Return a text with a line for each row."""
    return "".join(f"{row}\n" for row in rows)


def tar(files: Mapping[str, bytes | str], mode: str = "w") -> bytes:
    """Return a tar (``w``) or tar.gz (``w:gz``) of the files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def tar_folder(folder: Path) -> bytes:
    """Return a tar.gz of everything in a folder."""
    return tar(_content(folder, "."), "w:gz")


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    """Return a zip of the files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def zip_folder(folder: Path, within: str = ".") -> bytes:
    """Return a zip of everything in a folder, or within a folder of it."""
    return zipped(_content(folder, within))


def matlab(**variables: Any) -> bytes:
    """Return a MATLAB file with the variables."""
    stream = io.BytesIO()
    savemat(stream, variables)
    return stream.getvalue()


def structs(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> np.ndarray:
    """Return rows as an array of structures, MATLAB's form of a table."""
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in names])
    array[0, :] = [tuple(row) for row in rows]
    return array


def _content(folder: Path, within: str) -> dict[str, bytes]:
    paths = sorted(path for path in (folder / within).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
