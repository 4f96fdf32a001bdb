"""Group fairness of every method: AUC of the groups, ES-AUC, DPD and DEOdds, attribute by attribute."""

import pandas as pd
from matplotlib.figure import Figure

from clipfair.tables.fairclip.plotting import Column, draw_grid

COLUMNS = [
    Column("auc", "AUC (%)", by_group=True),
    Column("es_auc", "ES-AUC (%)"),
    Column("dpd", "DPD (%)"),
    Column("deodds", "DEOdds (%)"),
]


def draw(table: pd.DataFrame) -> Figure:
    """Draw the grid of :func:`clipfair.tables.fairclip.plotting.draw_grid` for these measures."""
    return draw_grid(table, COLUMNS)
