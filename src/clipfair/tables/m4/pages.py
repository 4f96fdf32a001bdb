"""Parts of the pages of CLIP the Bias that several tables share."""

from collections.abc import Mapping, Sequence

import pandas as pd

from clipfair.tables.common.markdown import mean_and_std


def page_title(settings: Mapping, text: str) -> str:
    """The heading of a page: the table's name and ``text``."""
    return f"# {settings['table'].partition('/')[2]}: {text}"


def last_checkpoint(settings: Mapping) -> str:
    """The sentence about checkpoint and seeds, without a full stop."""
    n = len(settings["seeds"])
    return f"Last checkpoint; {f'mean ± standard deviation over {n} seeds' if n > 1 else 'one seed'}"


def model_rows(frame: pd.DataFrame, column: str, values: Sequence, *, scale: float) -> list[list[str]]:
    """One row per model with its mean and deviation for each of ``values`` of a column; a dash for none.

    Parameters
    ----------
    frame
        Columns model_label, ``column``, mean and std.
    """
    cells = {
        (row.model_label, getattr(row, column)): mean_and_std(row.mean, row.std, scale=scale, decimals=3)
        for row in frame.itertuples()
    }
    return [
        [label, *(cells.get((label, value), "-") for value in values)]
        for label in frame["model_label"].unique()
    ]
