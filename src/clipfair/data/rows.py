"""Which rows of a prepared table an evaluation or a training uses."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from clipfair.core.errors import UserError

# Columns that only code that opens the images needs.
IMAGE_COLUMNS = ("image_bytes", "boxes")


def read_table(path: str, *, less: Collection[str] = ()) -> pd.DataFrame:
    """A prepared table, ``less`` some of its columns."""
    return pd.read_parquet(path, columns=[name for name in pq.read_schema(path).names if name not in less])


def test_rows(line: Mapping, table: pd.DataFrame) -> np.ndarray:
    """Which rows are evaluated; (n,) bool.

    If ``images`` is less than their number, so many are drawn with the generator of ``seed``.
    """
    chosen = _match(line, table, {"split": line["split"], **line.get("where", {})})
    found = np.flatnonzero(chosen)
    if line.get("images", len(found)) < len(found):
        drawn = np.random.default_rng(line["seed"]).choice(found, size=line["images"], replace=False)
        chosen = np.zeros(len(table), dtype=bool)
        chosen[drawn] = True
    return chosen


def support_rows(line: Mapping, table: pd.DataFrame) -> np.ndarray:
    """Which rows something is fitted to; (n,) bool, none if the line has no ``support``."""
    if "support" not in line:
        return np.zeros(len(table), dtype=bool)
    return _match(line, table, line["support"])


def _match(line: Mapping, table: pd.DataFrame, where: Mapping) -> np.ndarray:
    chosen = np.ones(len(table), dtype=bool)
    for column, value in where.items():
        if column not in table:
            raise UserError(
                f"evaluation on {line['dataset']}: no column {column!r}; known: {', '.join(table.columns)}"
            )
        chosen &= table[column].isin(value if isinstance(value, list | tuple) else [value]).to_numpy()
    if not chosen.any():
        told = ", ".join(f"{column} {value}" for column, value in where.items())
        raise UserError(f"evaluation on {line['dataset']}: no example with {told}; check config.yaml")
    return chosen
