"""Figures on disk: the same figure gives the same bytes."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from clipfair.core.io import atomic_path

# matplotlib writes a date and random ids unless told otherwise.
SAME_BYTES = {"svg.hashsalt": "clipfair", "svg.fonttype": "none"}
DECIMALS = 6
METADATA = {".svg": {"Date": None}, ".png": {"Software": None}}


def write_figure(path: str | Path, figure: Figure) -> None:
    """Write ``figure`` as svg or png (200 dots per inch), atomically."""
    suffix = Path(path).suffix
    _settle(figure)
    with mpl.rc_context(SAME_BYTES), atomic_path(path) as temporary:
        figure.savefig(temporary, format=suffix[1:], dpi=200, metadata=METADATA[suffix])


def _settle(figure: Figure) -> None:
    """Lay the figure out for good, on a grid of a millionth of its size.

    The solver of constrained layouts gives other last bits in every run, and matplotlib makes ids of them.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for part in figure.subfigs:
        part.bbox_relative.set_points(np.round(part.bbox_relative.get_points(), DECIMALS))
    for axis in figure.axes:
        axis.set_position(np.round(axis.get_position().bounds, DECIMALS))
