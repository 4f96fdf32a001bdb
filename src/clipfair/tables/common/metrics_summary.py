"""Every compared table of a study in one JSON file, for ``dvc metrics diff`` between commits."""

from collections.abc import Mapping

import pandas as pd

from clipfair.tables.common.compare import DIFFERS, NOT_COMPARABLE, REPRODUCED
from clipfair.tables.common.table_files import read_table


def summarise_comparisons(parts: Mapping[str, str]) -> dict:
    """Count each table's verdicts and list its means.

    Parameters
    ----------
    parts
        Table -> its ``.compare.csv``.

    Returns
    -------
    Table -> ``verdicts`` (verdict -> number of cells) and ``means`` (the names of a cell joined by `` / `` ->
    our mean with six significant digits; undefined means are omitted).
    """
    return {table: _summarise(read_table(path)) for table, path in parts.items()}


def _summarise(frame: pd.DataFrame) -> dict:
    verdicts = frame["verdict"].str.split(":").str[0]
    before_mean = frame.columns[: frame.columns.get_loc("mean")]
    names = [name for name in before_mean if not name.startswith("published_")]
    cells = frame.dropna(subset="mean")
    keys = map(" / ".join, cells[names].fillna("").astype(str).itertuples(index=False, name=None))
    return {
        "verdicts": {name: int((verdicts == name).sum()) for name in (REPRODUCED, DIFFERS, NOT_COMPARABLE)},
        "means": {key: float(f"{mean:.6g}") for key, mean in zip(keys, cells["mean"], strict=True)},
    }
