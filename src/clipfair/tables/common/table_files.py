"""The files of a table, each marked with the kind of its data (synthetic or real)."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from clipfair.core.io import write_csv, write_text
from clipfair.tables.common.compare import COMPARISON
from clipfair.tables.common.markdown import mark_page

# The first column of every csv: the kind of the data that the values are measured on.
DATA = "data"


def write_table(path: str | Path, frame: pd.DataFrame, data: str) -> None:
    """Write a table as csv with a first column ``data``.

    Parameters
    ----------
    data
        The kind of data: ``synthetic``, ``real`` or ``synthetic and real``, with ``, partial`` for subsets.
    """
    marked = frame.copy()
    marked.insert(0, DATA, data)
    write_csv(path, marked)


def write_comparison(path: str | Path, compared: pd.DataFrame | None, data: str) -> None:
    """Write the values with the published ones; the header alone if nothing is published."""
    write_table(path, pd.DataFrame(columns=COMPARISON) if compared is None else compared, data)


def write_page(path: str | Path, page: str, data: str, notes: Sequence[str]) -> None:
    """Write a markdown page, marked with the kind of its data."""
    write_text(path, mark_page(page, data, notes))


def read_table(path: str | Path) -> pd.DataFrame:
    """The values of a table as its builder returned them, without the column ``data``."""
    return pd.read_csv(path).drop(columns=DATA)
