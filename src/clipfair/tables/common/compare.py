"""Comparison of our values with published ones: difference, standard deviations, verdict."""

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError

# A value printed with one decimal is known to +-0.05: the standard deviation of that rounding.
ROUNDING_STD = 0.1 / np.sqrt(12)
# The same for two decimals.
FINE_ROUNDING_STD = 0.01 / np.sqrt(12)

# Two means count as equal within two standard deviations of their difference.
LIMIT = 2.0

REPRODUCED = "reproduced"
DIFFERS = "differs"
NOT_COMPARABLE = "not comparable"

KEY = ["published_dataset", "published_row", "metric"]
# The columns that every comparison has.
COMPARISON = [*KEY, "mean", "std", "n", "published_mean", "published_std", "published_source"]
COMPARISON += ["difference", "combined_std", "deviations", "verdict"]


def read_published(path: str, table: str) -> pd.DataFrame:
    """The published values of one table.

    Returns
    -------
    Columns published_dataset, published_row, metric, published_mean, published_std (NaN where the paper
    prints none) and published_source.

    Raises
    ------
    UserError
        If the file has no such table.
    """
    frame = pd.read_csv(path)
    chosen = frame[frame["table"] == table]
    if chosen.empty:
        known = ", ".join(sorted(frame["table"].unique()))
        raise UserError(f"{path}: no table {table!r}; known: {known}")
    values = chosen[["dataset", "row", "metric", "mean", "std", "source"]].reset_index(drop=True)
    return values.rename(columns=lambda name: name if name == "metric" else f"published_{name}")


def compare(
    ours: pd.DataFrame,
    published: pd.DataFrame,
    *,
    incomparable: str = "",
    rounding_std: float = ROUNDING_STD,
    of_means: bool = False,
) -> pd.DataFrame:
    """Compare our values with the published ones.

    Parameters
    ----------
    ours
        Columns published_dataset and published_row (None where the paper has none), metric, mean, std
        (over repeats, ddof 1), n (repeats), and any others.
    published
        The result of :func:`read_published`.
    incomparable
        The reason why no value of this table is comparable with a published one (e.g. ``"partial data"``);
        empty if there is none.
    rounding_std
        Standard deviation of the rounding of the published values.
    of_means
        Whether the uncertainty of our value is that of its mean over the repeats, std / sqrt(n), instead of
        that of one repeat, std. The published deviation is used as printed.

    Returns
    -------
    ``ours`` with published_mean, published_std, published_source, difference (ours minus published),
    combined_std (root of the summed variances of our value, the published value and its rounding),
    deviations (difference over combined_std) and verdict: ``reproduced`` within two combined standard
    deviations, ``differs`` beyond, ``not comparable: <reason>`` where no comparison is possible.
    """
    frame = ours.merge(published, on=KEY, how="left", validate="many_to_one")
    frame["difference"] = frame["mean"] - frame["published_mean"]
    own_variance = frame["std"] ** 2 / (frame["n"] if of_means else 1)
    variance = own_variance + frame["published_std"].fillna(0) ** 2 + rounding_std**2
    frame["combined_std"] = np.sqrt(variance).where(frame["published_mean"].notna())
    frame["deviations"] = frame["difference"] / frame["combined_std"]
    frame["verdict"] = [
        _verdict(row.deviations, row.published_mean, incomparable) for row in frame.itertuples()
    ]
    return frame


def _verdict(deviations: float, published: float, incomparable: str) -> str:
    if incomparable:
        return f"{NOT_COMPARABLE}: {incomparable}"
    if np.isnan(published):
        return f"{NOT_COMPARABLE}: no published value"
    if np.isnan(deviations):
        return f"{NOT_COMPARABLE}: no standard deviation of ours"
    return REPRODUCED if abs(deviations) <= LIMIT else DIFFERS
