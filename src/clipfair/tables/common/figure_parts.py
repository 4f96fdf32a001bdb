"""Parts of the figures of both papers: error bars within the bounds of a metric, notes below the panels."""

import textwrap
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.common.metric_name import ARROWS, DIRECTIONS, MetricName

# Characters of a note in an inch.
DENSITY = 19
NOTE = {"fontsize": 6.5, "color": "0.25", "x": 0.01, "ha": "left"}
OVER_SEEDS = "Bars: mean ± standard deviation over seeds, cut at the bounds of the metric."


def bounded_bars(mean: pd.Series, deviation: pd.Series, name: MetricName) -> np.ndarray:
    """The lengths of error bars below and above a mean, cut at the bounds of the metric.

    Parameters
    ----------
    mean, deviation
        (n,), in the unit of ``name``; an undefined deviation has no bar.

    Returns
    -------
    (2, n), not negative.
    """
    low, high = (np.nan if bound is None else bound for bound in name.bounds)
    center, length = mean.to_numpy(dtype=float), deviation.fillna(0).to_numpy(dtype=float)
    below, above = np.fmin(length, center - low), np.fmin(length, high - center)
    return np.maximum([below, above], 0)


def dodge(at: int, n: int, *, width: float = 0.5) -> float:
    """The offset of the ``at``-th of ``n`` marks from their common position."""
    return 0.0 if n < 2 else width * (at / (n - 1) - 0.5)


def add_note(figure: Figure, *sentences: str) -> None:
    """Write below all panels what bars, bands and shades mean."""
    text = " ".join(sentence for sentence in sentences if sentence)
    figure.supxlabel(textwrap.fill(text, int(DENSITY * figure.get_figwidth())), **NOTE)


def explain_arrows(names: Iterable[MetricName]) -> str:
    """The meaning of the arrows in the axis labels of some metrics."""
    used = {name.better for name in names}
    parts = [f"{arrow} {DIRECTIONS[better]}" for better, arrow in ARROWS.items() if better in used]
    return f"{', '.join(parts)}." if parts else ""
