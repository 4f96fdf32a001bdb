"""Association of two quantities over models: rank correlation and regression, with independent units.

Models of one unit (one draw of the data with one seed) are dependent; units are independent. Each unit
therefore gives one correlation, and the interval of a slope is over units (docs/analysis-plan.md).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from clipfair.metrics.statistics import CONFIDENCE

FEWEST = 3


def rank_correlation(frame: pd.DataFrame, x: str, y: str) -> float:
    """Spearman's rank correlation of two columns over the rows in which both are defined.

    Returns
    -------
    A value in [-1, 1]; NaN for fewer than three such rows, or if one of the columns does not vary.
    """
    pairs = frame[[x, y]].dropna()
    if len(pairs) < FEWEST or (pairs.nunique() < 2).any():
        return np.nan
    return float(stats.spearmanr(pairs[x], pairs[y]).statistic)


def unit_correlations(
    models: pd.DataFrame, x: str, y: str, *, unit: str, within: Sequence[str] = ()
) -> pd.Series:
    """Spearman's rank correlation over the models of each unit.

    Parameters
    ----------
    models
        One row per model.
    x, y
        The columns that are compared.
    unit
        The column of the independent unit.
    within
        Further columns, such as the world: the correlation is taken within each of their values and then
        averaged, so differences between worlds do not enter it. A part in which it is undefined is left out.

    Returns
    -------
    One value for each unit, in their order; NaN where no part has one.
    """
    parts = models.groupby([unit, *within], sort=True)
    found = [(key[0], rank_correlation(part, x, y)) for key, part in parts]
    return pd.DataFrame(found, columns=[unit, "correlation"]).groupby(unit)["correlation"].mean()


class Slope(NamedTuple):
    """A regression slope with its 95% interval over units.

    ``r_squared`` is the share of the variance within cells that the slope explains; ``n`` counts models and
    ``units`` the units with a defined pair.
    """

    slope: float
    low: float
    high: float
    r_squared: float
    n: int
    units: int


def clustered_slope(models: pd.DataFrame, x: str, y: str, *, unit: str, within: Sequence[str] = ()) -> Slope:
    """The slope of the least-squares regression of ``y`` on ``x``, with units as clusters.

    Each cell, a unit or a unit within one of the values of ``within``, has an intercept of its own. The
    standard error is the jackknife's over units (CR3; MacKinnon, Nielsen and Webb, 2023), and the interval
    has the t quantile of one degree of freedom less than there are units.

    Parameters
    ----------
    models, x, y, unit, within
        As for :func:`unit_correlations`.

    Returns
    -------
    NaN where ``x`` does not vary within cells; no interval with fewer than two units, or if ``x`` varies in
    one unit alone.
    """
    pairs = models[[unit, *within, x, y]].dropna()
    cells = pairs.groupby([unit, *within])
    centred = pairs[[x, y]] - cells[[x, y]].transform("mean")
    products = pd.DataFrame({"xx": centred[x] ** 2, "xy": centred[x] * centred[y], "yy": centred[y] ** 2})
    sums = products.groupby(pairs[unit]).sum()
    total = sums.sum()
    units = len(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = total["xy"] / total["xx"]
        r_squared = total["xy"] ** 2 / (total["xx"] * total["yy"])
        left_out = (total["xy"] - sums["xy"]) / (total["xx"] - sums["xx"])
        error = np.sqrt((units - 1) / units * np.sum((left_out.to_numpy() - slope) ** 2))
    half = stats.t.ppf((1 + CONFIDENCE) / 2, units - 1) * error if units > 1 else np.nan
    return Slope(*map(float, (slope, slope - half, slope + half, r_squared)), n=len(pairs), units=units)
