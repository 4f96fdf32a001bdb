"""Checks of the table that a loader returns: columns, keys, published counts, examples left out.

The table has one row an example. A table of images has ``key``, a unique text; ``split``; and the position
of the image as :func:`clipfair.data.images.open_image` reads it (``image``, a path relative to the
dataset's folder, or ``image_bytes``).
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from clipfair.core.catalogue import Dataset, Expected
from clipfair.core.errors import UserError

# The columns that a prepared table must have, by the kind of its dataset; of a tuple, one is enough.
REQUIRED_COLUMNS = {
    "tabular": (),
    "pairs": ("key", "split", "tar", "parquet"),
    "people": ("key", "split", "image"),
    "classification": ("key", "split", "label", ("image", "image_bytes")),
    "retrieval": ("key", "split", "captions", "image"),
    "clinical": ("key", "split", "captions", "image", "used"),
    "annotations": ("key", "split"),
}
LEFT_OUT = "left_out"


def check_columns(frame: pd.DataFrame, dataset: Dataset) -> None:
    """Raise :class:`UserError` unless a loader's table has the columns that its dataset needs.

    These are the :data:`REQUIRED_COLUMNS`, and the attributes and labels of the catalogue's entry.
    ``split``, ``label`` and attributes are categorical. ``label`` has no empty cells, and its categories, in
    the order of their codes, are the class names of a zero-shot evaluation.
    """
    wanted = (*REQUIRED_COLUMNS[dataset.kind], *dataset.attributes, *dataset.labels)
    alternatives = [(name,) if isinstance(name, str) else name for name in wanted]
    missing = [" or ".join(names) for names in alternatives if not set(names) & set(frame)]
    if missing:
        raise UserError(
            f"{dataset.id}: its loader {dataset.loader_module} returns no column {', '.join(missing)}, "
            f"which a dataset of kind {dataset.kind} needs; correct the loader"
        )
    wrong = [name for name in ("split", "label", *dataset.attributes) if not _is_categorical(frame, name)]
    if "label" in frame and frame["label"].isna().any():
        wrong.append("label")
    if wrong:
        raise UserError(
            f"{dataset.id}: its loader {dataset.loader_module} returns {', '.join(wrong)} as text or with "
            "empty cells, expected categories (clipfair.data.loading.columns.categorical); correct the loader"
        )


def _is_categorical(frame: pd.DataFrame, name: str) -> bool:
    return name not in frame or isinstance(frame[name].dtype, pd.CategoricalDtype)


def check_keys(frame: pd.DataFrame, *, name: str) -> None:
    """Raise :class:`UserError` if two examples of dataset ``name`` share a key."""
    repeated = frame["key"].duplicated(keep=False)
    if repeated.any():
        key = frame.loc[repeated.idxmax(), "key"]
        places = frame.loc[frame["key"] == key, "image"].astype(str) if "image" in frame else []
        where = f" ({', '.join(places)})" if len(places) else ""
        raise UserError(
            f"{name}: key {key!r} is there {(frame['key'] == key).sum()} times{where}; every example needs "
            "its own: remove all but one"
        )


def check_expected(frame: pd.DataFrame, expected: Expected, *, name: str) -> None:
    """Raise :class:`UserError` at the first published count that the table of dataset ``name`` misses."""
    _compare(len(frame), expected.rows, "rows", name=name)
    if expected.classes is not None:
        _compare(frame["label"].nunique(), expected.classes, "classes", name=name)
    if expected.captions is not None:
        _compare(frame["captions"].map(len).sum(), expected.captions, "captions", name=name)
    for count in expected.counts:
        chosen = pd.Series(True, index=frame.index)
        for column, value in count.where.items():
            chosen &= frame[column] == value
        group = ", ".join(f"{column} = {value}" for column, value in count.where.items())
        _compare(chosen.sum(), count.rows, f"rows with {group}", name=name)


def _compare(found: int, published: int | None, what: str, *, name: str) -> None:
    if published is not None and found != published:
        raise UserError(
            f"{name}: {found:,} {what}, expected {published:,}; not the whole dataset: fetch it again, "
            f"or list {name} under subset to use what is there"
        )


def note_left_out(frame: pd.DataFrame, reason: str, names: Sequence[str]) -> None:
    """Record in ``frame.attrs`` examples of the source that cannot be used and are not in the table."""
    if names:
        frame.attrs[LEFT_OUT] = {**left_out(frame), reason: list(names)}


def left_out(frame: pd.DataFrame) -> Mapping[str, list[str]]:
    """Return the examples that the loader left out: reason -> names."""
    return frame.attrs.get(LEFT_OUT, {})
