"""The curves of a training as a picture, drawn without a plotting library, whose import takes a second."""

import math
from collections.abc import Sequence

import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from clipfair.core.io import atomic_path

PANEL, MARGIN, GAP = (360, 220), (64, 34), 18
INK, GREY, LINE = "#222222", "#cccccc", "#0072b2"
_SCALE = 2
_NOT_DRAWN = ("step", "examples")


def draw_curves(log: pd.DataFrame, path: str, *, title: str) -> None:
    """One panel for each column of a log, against the examples seen.

    Parameters
    ----------
    log
        With ``examples``; any other column but ``step`` is a curve.
    path
        Gets a PNG.
    """
    names = [name for name in log.columns if name not in _NOT_DRAWN]
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    size = ((PANEL[0] + GAP) * columns + GAP, (PANEL[1] + GAP) * rows + 2 * GAP + 14)
    picture = Image.new("RGB", tuple(side * _SCALE for side in size), "white")
    draw = ImageDraw.Draw(picture)
    _text(draw, (GAP, 10), title, size=14)
    for place, name in enumerate(names):
        corner = (
            GAP + (place % columns) * (PANEL[0] + GAP),
            2 * GAP + 14 + (place // columns) * (PANEL[1] + GAP),
        )
        _panel(draw, corner, name, log["examples"].tolist(), log[name].tolist())
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")


def _panel(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], name: str, xs: Sequence[float], ys: Sequence[float]
) -> None:
    left, top = corner[0] + MARGIN[0], corner[1] + 20
    right, bottom = corner[0] + PANEL[0] - 8, corner[1] + PANEL[1] - MARGIN[1]
    _text(draw, (left, corner[1]), name.replace("_", " "), size=13)
    low, high = min(ys), max(ys)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)

    def at(x: float, y: float) -> tuple[float, float]:
        across = left + (right - left) * x / max(xs)
        return across * _SCALE, (bottom - (bottom - top) * (y - low) / (high - low)) * _SCALE

    for value in (low, (low + high) / 2, high):
        draw.line([at(0, value), at(max(xs), value)], fill=GREY, width=_SCALE)
        _text(draw, (corner[0], at(0, value)[1] / _SCALE - 7), f"{value:.4g}", size=11)
    for value in (0, max(xs)):
        _text(draw, (at(value, low)[0] / _SCALE - 12, bottom + 4), f"{value:,.0f}", size=11, end=value > 0)
    _text(draw, ((left + right) / 2 - 40, bottom + 4), "examples seen", size=11)
    draw.line([at(x, y) for x, y in zip(xs, ys, strict=True)], fill=LINE, width=2 * _SCALE)


def _text(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, *, size: int, end: bool = False
) -> None:
    font = ImageFont.load_default(size * _SCALE)
    x, y = (side * _SCALE for side in place)
    if end:
        x -= draw.textlength(text, font=font) - 12 * _SCALE
    draw.text((x, y), text, fill=INK, font=font)
