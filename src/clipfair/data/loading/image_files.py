"""The image files of a dataset: which there are, and images in folders named by class."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.data.loading import columns

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def files_below(folder: str | Path, *, suffixes: Sequence[str] = SUFFIXES) -> list[str]:
    """Return the files below ``folder`` with one of the ``suffixes``: relative names with slashes, sorted."""
    found = []
    for place, _, names in os.walk(folder, followlinks=True):
        within = Path(place).relative_to(folder)
        found += [(within / name).as_posix() for name in names if name.lower().endswith(tuple(suffixes))]
    return sorted(found)


def check_files(column: pd.Series, files: Iterable[str], *, path: str | Path, place: str = "line") -> None:
    """Raise :class:`UserError` at the first cell of ``column`` that is not among ``files``.

    Parameters
    ----------
    path
        The file that ``column`` was read from.
    place
        What the index of the column counts.
    """
    absent = ~column.isin(set(files))
    what = f"is not there ({absent.sum():,} of {len(column):,} missing)"
    columns.refuse(column, absent, what, path=path, place=place, advice="fetch the dataset again")


def read_class_folders(folder: str | Path, root: str) -> pd.DataFrame:
    """List the images in ``<folder>/<root>/<class>/``, sorted by class and name.

    Returns
    -------
    ``key`` (the image's name without suffix), ``image`` and ``class`` (the folder's name).

    Raises
    ------
    UserError
        If there is no image, or one outside a class's folder.
    """
    names = files_below(Path(folder, root))
    if not names:
        raise UserError(f"{Path(folder, root)}: no images in folders named by class; fetch the dataset again")
    misplaced = [name for name in names if name.count("/") != 1]
    if misplaced:
        raise UserError(
            f"{Path(folder, root)}: {misplaced[0]!r} is not in a class's folder "
            f"({len(misplaced):,} such in all); move or remove it"
        )
    return pd.DataFrame(
        {
            "key": [Path(name).stem for name in names],
            "image": [f"{root}/{name}" for name in names],
            "class": [name.split("/")[0] for name in names],
        }
    )
