"""The index of a dataset of images: what its loaders share.

An index has one row an example, with ``key``, a unique text; ``split``; and where its image lies,
as ``clipfair.data.images.open_image`` reads it (``image``, a path relative to the dataset's folder, or
``image_bytes``).
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from clipfair.core.catalogue import Dataset
from clipfair.core.errors import UserError
from clipfair.data.datasets import table

# What is read of a prepared table, by the kind of its dataset; of several in one place any will do.
COLUMNS = {
    "tabular": (),
    "pairs": ("key", "split", "tar", "parquet"),
    "people": ("key", "split", "image"),
    "classification": ("key", "split", "label", ("image", "image_bytes")),
    "retrieval": ("key", "split", "captions", "image"),
    "clinical": ("key", "split", "captions", "image", "used"),
    "annotations": ("key", "split"),
}
LEFT_OUT = "left_out"
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def files_below(folder: str | Path, *, suffixes: Sequence[str] = SUFFIXES) -> list[str]:
    """The files below ``folder`` with one of the ``suffixes``: relative names with slashes, sorted."""
    found = []
    for place, _, names in os.walk(folder, followlinks=True):
        within = Path(place).relative_to(folder)
        found += [(within / name).as_posix() for name in names if name.lower().endswith(tuple(suffixes))]
    return sorted(found)


def check_files(column: pd.Series, files: Iterable[str], *, path: str | Path, place: str = "line") -> None:
    """Raise :class:`UserError` at the first cell of ``column`` that names none of ``files``.

    Parameters
    ----------
    path
        The file that ``column`` was read from.
    place
        What the index of the column counts.
    """
    absent = ~column.isin(set(files))
    what = f"is not there ({absent.sum():,} of {len(column):,} missing)"
    table.refuse(column, absent, what, path=path, place=place, advice="fetch the dataset again")


def read_class_folders(folder: str | Path, root: str) -> pd.DataFrame:
    """The images in ``<folder>/<root>/<class>/``, sorted by class and name.

    Returns
    -------
    ``key`` (the image's name without suffix), ``image`` and ``class`` (the folder's name).

    Raises
    ------
    UserError
        If there are none, or one that is not in a class's folder.
    """
    names = files_below(Path(folder, root))
    if not names:
        raise UserError(f"{Path(folder, root)}: no images in folders named by class; fetch the dataset again")
    astray = [name for name in names if name.count("/") != 1]
    if astray:
        raise UserError(
            f"{Path(folder, root)}: {astray[0]!r} is not in a class's folder "
            f"({len(astray):,} such in all); move or remove it"
        )
    return pd.DataFrame(
        {
            "key": [Path(name).stem for name in names],
            "image": [f"{root}/{name}" for name in names],
            "class": [name.split("/")[0] for name in names],
        }
    )


def labels(classes: Iterable[str], known: Iterable[str] | None = None) -> pd.Categorical:
    """``classes`` as a categorical in the order of ``known``, or of the alphabet."""
    classes = list(classes)
    return pd.Categorical(classes, categories=list(known) if known is not None else sorted(set(classes)))


def constant(value: str, like: pd.DataFrame, known: Sequence[str] | None = None) -> pd.Series:
    """A categorical column of one value, such as a split's name among the ``known``."""
    return pd.Series(value, index=like.index).astype(pd.CategoricalDtype(list(known or [value])))


def check_keys(frame: pd.DataFrame, *, name: str) -> None:
    """Raise :class:`UserError` if two examples of dataset ``name`` share a key."""
    twice = frame["key"].duplicated(keep=False)
    if twice.any():
        key = frame.loc[twice.idxmax(), "key"]
        places = frame.loc[frame["key"] == key, "image"].astype(str) if "image" in frame else []
        where = f" ({', '.join(places)})" if len(places) else ""
        raise UserError(
            f"{name}: key {key!r} is there {(frame['key'] == key).sum()} times{where}; every example needs "
            "its own: remove all but one"
        )


def check_columns(frame: pd.DataFrame, dataset: Dataset) -> None:
    """Raise :class:`UserError` unless a loader gives what is read of datasets of its kind.

    Those are the columns :data:`COLUMNS`, and the attributes and labels of the catalogue's entry.
    ``label`` is categorical, without empty cells: its categories, in the order of their codes, are the
    classes that a zero-shot evaluation names.
    """
    wanted = (*COLUMNS[dataset.kind], *dataset.attributes, *dataset.labels)
    ways = [(name,) if isinstance(name, str) else name for name in wanted]
    lacking = [" or ".join(way) for way in ways if not set(way) & set(frame)]
    if lacking:
        raise UserError(
            f"{dataset.id}: its loader gives no column {', '.join(lacking)}, which a dataset of kind "
            f"{dataset.kind} needs; correct its module in src/clipfair/data/datasets"
        )
    loose = [name for name in ("split", "label", *dataset.attributes) if not _is_closed(frame, name)]
    if "label" in frame and frame["label"].isna().any():
        loose.append("label")
    if loose:
        raise UserError(
            f"{dataset.id}: its loader gives {', '.join(loose)} as text or with empty cells, expected "
            f"categories (index.labels); correct its module in src/clipfair/data/datasets"
        )


def _is_closed(frame: pd.DataFrame, name: str) -> bool:
    return name not in frame or isinstance(frame[name].dtype, pd.CategoricalDtype)


def note_left_out(frame: pd.DataFrame, reason: str, names: Sequence[str]) -> None:
    """Keep with the frame which of its source's examples it lacks, if any, and why: they cannot be used."""
    if names:
        frame.attrs[LEFT_OUT] = {**left_out(frame), reason: list(names)}


def left_out(frame: pd.DataFrame) -> Mapping[str, list[str]]:
    """What the loader could not use: reason -> names."""
    return frame.attrs.get(LEFT_OUT, {})
