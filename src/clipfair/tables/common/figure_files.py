"""Figure files: marked with the kind of their data, and the same bytes for the same figure."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from clipfair.core.io import atomic_path

# By default matplotlib writes a date and random ids.
SAME_BYTES = {"svg.hashsalt": "clipfair", "svg.fonttype": "none"}
DECIMALS = 6
METADATA = {".svg": {"Date": None}, ".png": {"Software": None}}

# Inches above the figure for the kind of its data.
STRIP = 0.22
MARK = {"fontsize": 8, "fontweight": "bold", "va": "center", "ha": "left"}
MARK_COLOURS = {"synthetic": "#9a3d00", "real": "#00664b"}


def write_figure(figure: Figure, *paths: str | Path, data: str) -> None:
    """Write ``figure`` as svg or png (200 dots per inch), atomically.

    Parameters
    ----------
    data
        The kind of data, such as ``synthetic``; it is written above the figure.
    """
    _fix_layout(figure)
    page = _add_mark(figure, data)
    for path in paths:
        suffix = Path(path).suffix
        with mpl.rc_context(SAME_BYTES), atomic_path(path) as temporary:
            figure.savefig(temporary, format=suffix[1:], dpi=200, metadata=METADATA[suffix], bbox_inches=page)


def _fix_layout(figure: Figure) -> None:
    """Compute the layout once and round it to a millionth of the figure's size.

    The last bits of a constrained layout differ between runs, and matplotlib derives ids from them.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for part in figure.subfigs:
        part.bbox_relative.set_points(np.round(part.bbox_relative.get_points(), DECIMALS))
    for axis in figure.axes:
        axis.set_position(np.round(axis.get_position().bounds, DECIMALS))
    for part in (figure, *figure.subfigs):
        for legend in part.legends:
            # By default a legend moves with the saved area, and so into the strip above the figure.
            legend.set_bbox_to_anchor((0, 0, 1, 1), transform=part.transSubfigure)


def _add_mark(figure: Figure, data: str) -> Bbox:
    """Write the kind of data above the figure; return the figure's area with that strip, in inches."""
    width, height = figure.get_size_inches()
    colour = MARK_COLOURS["synthetic" if "synthetic" in data else "real"]
    text = f"{data[:1].upper()}{data[1:]} data"
    figure.text(0.08 / width, 1 + STRIP / 2 / height, text, color=colour, **MARK)
    return Bbox([[0, 0], [width, height + STRIP]])
