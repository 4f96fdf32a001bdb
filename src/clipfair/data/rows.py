"""The rows of a prepared table that an evaluation or a training uses."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from clipfair.core.errors import UserError
from clipfair.core.keys import hash_keys

# In a condition on rows, instead of a column: the rank of the key in the order of its hash.
HASH_RANK = "hash_rank"
# Columns that only code that opens the images needs.
IMAGE_COLUMNS = ("image_bytes", "boxes")


def read_table(path: str, *, exclude: Collection[str] = ()) -> pd.DataFrame:
    """Read a prepared table without the columns ``exclude``."""
    names = [name for name in pq.read_schema(path).names if name not in exclude]
    return pd.read_parquet(path, columns=names)


def select_rows(settings: Mapping, table: pd.DataFrame) -> np.ndarray:
    """Select the rows that are evaluated, or trained on; (n,) bool.

    ``settings`` has ``dataset`` and ``split``; optional are ``where`` (column -> value or list of values) and
    ``images``, a number of rows to draw with the generator of ``seed`` if there are more. In ``where``,
    ``hash_rank`` is no column: {``below``: n} selects the first n of the rows that meet the other conditions,
    in the order of a hash of their keys, and {``from``: n} the rest.

    Raises
    ------
    UserError
        If a column is missing, or no row matches.
    """
    chosen = _match(settings, table, {"split": settings["split"], **settings.get("where", {})})
    found = np.flatnonzero(chosen)
    if settings.get("images", len(found)) < len(found):
        drawn = np.random.default_rng(settings["seed"]).choice(found, size=settings["images"], replace=False)
        chosen = np.zeros(len(table), dtype=bool)
        chosen[drawn] = True
    return chosen


def select_support(settings: Mapping, table: pd.DataFrame) -> np.ndarray:
    """Select the rows that a classifier is fitted to; (n,) bool, none without ``support`` in ``settings``.

    ``support`` is a mapping as ``where`` of :func:`select_rows`, or a list of them; a row that one of them
    selects is selected.

    Raises
    ------
    UserError
        As in :func:`select_rows`.
    """
    support = settings.get("support", [])
    chosen = np.zeros(len(table), dtype=bool)
    for where in [support] if isinstance(support, Mapping) else support:
        chosen |= _match(settings, table, where)
    return chosen


def _match(settings: Mapping, table: pd.DataFrame, where: Mapping) -> np.ndarray:
    chosen = np.ones(len(table), dtype=bool)
    for column, value in where.items():
        if column == HASH_RANK:
            continue
        if column not in table:
            raise UserError(
                f"evaluation on {settings['dataset']}: no column {column!r}; "
                f"known: {', '.join(table.columns)}"
            )
        chosen &= table[column].isin(value if isinstance(value, list | tuple) else [value]).to_numpy()
    if HASH_RANK in where:
        chosen &= _has_rank(table["key"].to_numpy(), chosen, where[HASH_RANK])
    if not chosen.any():
        condition = ", ".join(f"{column} {value}" for column, value in where.items())
        raise UserError(
            f"evaluation on {settings['dataset']}: no example with {condition}; check the configuration"
        )
    return chosen


def _has_rank(keys: np.ndarray, chosen: np.ndarray, bound: Mapping[str, int]) -> np.ndarray:
    """Select the rows whose rank among the chosen ones is ``below`` a number, or at least ``from``."""
    rows = np.flatnonzero(chosen)
    order = rows[np.argsort(hash_keys(keys[rows], seed=0), kind="stable")]
    selected = np.zeros(len(keys), dtype=bool)
    selected[order[bound.get("from", 0) : bound.get("below")]] = True
    return selected
