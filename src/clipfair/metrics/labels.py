"""Binary labels from a column of a prepared table."""

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError


def binary_labels(table: pd.DataFrame, column: str, positive: str | None = None) -> np.ndarray:
    """A column as 0 and 1; (n,) int64.

    Parameters
    ----------
    positive
        The value that becomes 1, for a column with two categories; None for a column that is 0 and 1 already.

    Raises
    ------
    UserError
        If the column does not exist, has missing values, or has other values.
    """
    values = find_column(table, column)
    if values.isna().any():
        raise UserError(
            f"column {column!r}: {values.isna().sum():,} of {len(values):,} values are missing; "
            "choose examples with a label (where: in the configuration)"
        )
    if positive is not None:
        categories = values.cat.categories if hasattr(values, "cat") else values.unique()
        if positive not in categories or len(categories) != 2:
            raise UserError(
                f"column {column!r}: expected two values, one of them {positive!r}; found "
                f"{', '.join(map(str, categories))}; check the evaluation in the configuration"
            )
        return (values == positive).to_numpy().astype(np.int64)
    if not values.isin([0, 1]).all():
        raise UserError(
            f"column {column!r} is not 0 and 1; name the value that is 1 in the configuration "
            "(positive: <value>)"
        )
    return values.to_numpy().astype(np.int64)


def find_column(table: pd.DataFrame, name: str) -> pd.Series:
    """A column of a table.

    Raises
    ------
    UserError
        If the column does not exist.
    """
    if name not in table:
        raise UserError(f"no column {name!r}; known: {', '.join(table.columns)}; check the configuration")
    return table[name]
