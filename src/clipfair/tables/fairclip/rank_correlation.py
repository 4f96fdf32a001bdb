"""Spearman's rank correlation of two columns, undefined for too few values."""

import numpy as np
import pandas as pd
from scipy import stats

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
