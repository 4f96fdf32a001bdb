"""Table 5 of the FairCLIP reproduction as a figure: the distances of all groups, on logarithmic axes."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.fairclip.plotting import Column, draw_grid

COLUMNS = [
    Column("distance_square_sinkhorn", "diag(LL):\nSinkhorn, released", by_group=True, log=True),
    Column("distance_square_wasserstein", "diag(LL):\nexact (score²)", by_group=True, log=True),
    Column("distance_wasserstein", "diag(L):\nexact (score²)", by_group=True, log=True),
    Column("distance_scale_free", "diag(L):\nscale-free", by_group=True, log=True),
]


def draw(table: pd.DataFrame) -> Figure:
    """Draw the grid of :func:`clipfair.tables.fairclip.plotting.draw_grid` for four of the distances."""
    return draw_grid(table, COLUMNS)
