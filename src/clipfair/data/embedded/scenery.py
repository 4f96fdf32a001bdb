"""Backgrounds, textures, and the positions of objects in an image."""

from collections.abc import Sequence

import numpy as np

from clipfair.data.embedded import glyphs
from clipfair.data.embedded.draw import draw, grid, paint, vary

# Above and below the horizon.
BACKGROUNDS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "beach": ((0.55, 0.80, 0.97), (0.95, 0.87, 0.62)),
    "field": ((0.60, 0.82, 0.97), (0.55, 0.80, 0.35)),
    "forest": ((0.12, 0.35, 0.18), (0.28, 0.22, 0.12)),
    "kitchen": ((0.97, 0.90, 0.75), (0.85, 0.70, 0.60)),
    "night": ((0.05, 0.05, 0.20), (0.12, 0.12, 0.18)),
    "office": ((0.85, 0.85, 0.93), (0.50, 0.45, 0.55)),
    "snow": ((0.75, 0.82, 0.90), (0.96, 0.97, 0.99)),
    "street": ((0.66, 0.60, 0.56), (0.30, 0.30, 0.32)),
}

# The four corners that a person does not cover: x, y.
CORNERS = np.array([(0.17, 0.20), (0.83, 0.20), (0.15, 0.72), (0.85, 0.72)])
CORNER_SCALE = 0.15


def draw_backgrounds(size: int, kinds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Empty images (n, size, size, 3), one for each index of ``BACKGROUNDS`` in ``kinds`` (n,)."""
    pairs = np.array(list(BACKGROUNDS.values()))[kinds]
    above, below = vary(pairs[:, 0], rng, 0.03), vary(pairs[:, 1], rng, 0.03)
    horizon = rng.uniform(0.45, 0.7, len(kinds))[:, None, None]
    pixels = np.empty((len(kinds), size, size, 3), dtype=np.float32)
    pixels[:] = above[:, None, None, :]
    ground = np.clip(0.5 + (grid(size)[1] - horizon) * size, 0, 1)
    paint(pixels, ground, below)
    return pixels


def draw_plain(size: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Empty images (n, size, size, 3) of one light colour each."""
    pixels = np.empty((n, size, size, 3), dtype=np.float32)
    pixels[:] = rng.uniform(0.45, 0.95, (n, 3))[:, None, None, :]
    return pixels


def draw_marks(
    pixels: np.ndarray, marks: Sequence[tuple[glyphs.Glyph, np.ndarray]], rng: np.random.Generator
) -> None:
    """Draw each glyph into the images where its mask (n,) is true, each in another corner, in place.

    A fifth mark in one image covers the first.
    """
    n = len(pixels)
    corners = rng.permuted(np.tile(np.arange(len(CORNERS)), (n, 1)), axis=1)
    taken = np.zeros(n, dtype=int)
    for glyph, where in marks:
        place = CORNERS[corners[np.arange(n), taken % len(CORNERS)]]
        taken += where
        place = place + rng.uniform(-0.02, 0.02, (n, 2))
        scale = CORNER_SCALE * rng.uniform(0.9, 1.1, n)
        draw(pixels, glyph, where=where, x=place[:, 0], y=place[:, 1], scale=scale)


def draw_single(
    pixels: np.ndarray, kinds: Sequence[glyphs.Glyph], chosen: np.ndarray, rng: np.random.Generator
) -> None:
    """Draw glyph ``kinds[chosen[i]]`` large into the middle of image i, in place; none for -1."""
    n = len(pixels)
    place = rng.uniform(0.4, 0.6, (n, 2))
    scale = rng.uniform(0.22, 0.38, n)
    for index, glyph in enumerate(kinds):
        draw(pixels, glyph, where=chosen == index, x=place[:, 0], y=place[:, 1], scale=scale)


def _banded(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sin(y * np.pi)


def _chequered(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sin(x * np.pi) * np.sin(y * np.pi)


def _dotted(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 4 * (0.3 - np.hypot(x / 2 - np.round(x / 2), y / 2 - np.round(y / 2)))


def _grid(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(np.cos(x * np.pi), np.cos(y * np.pi)) - 0.75


def _lined(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.cos(x * np.pi * 1.5) - 0.5


def _spiralled(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sin(np.hypot(x, y) * np.pi + np.arctan2(y, x))


def _striped(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sin((x + y) * np.pi * 0.7)


def _zigzagged(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sin((y + np.abs(x / 2 - np.round(x / 2)) * 2.5) * np.pi)


# Eight of DTD's 47 classes; each function is positive where the first colour is.
TEXTURES = {
    "banded": _banded,
    "chequered": _chequered,
    "dotted": _dotted,
    "grid": _grid,
    "lined": _lined,
    "spiralled": _spiralled,
    "striped": _striped,
    "zigzagged": _zigzagged,
}


def draw_textures(
    pixels: np.ndarray, chosen: np.ndarray, first: np.ndarray, second: np.ndarray, rng: np.random.Generator
) -> None:
    """Fill image i with texture ``chosen[i]`` in two colours (n, 3), in place; not for -1."""
    n, size = len(pixels), pixels.shape[1]
    across, down = grid(size)
    period = rng.uniform(2.5, 4, n)
    shift = rng.uniform(-0.25, 0.25, (n, 2))
    first, second = vary(first, rng), vary(second, rng)
    for index, texture in enumerate(TEXTURES.values()):
        rows = np.flatnonzero(chosen == index)
        x = (across - 0.5 + shift[rows, 0, None, None]) * 2 * period[rows, None, None]
        y = (down - 0.5 + shift[rows, 1, None, None]) * 2 * period[rows, None, None]
        block = np.empty((len(rows), size, size, 3), dtype=np.float32)
        block[:] = second[rows, None, None, :]
        paint(block, np.clip(0.5 + texture(x, y) * size / (4 * period[rows, None, None]), 0, 1), first[rows])
        pixels[rows] = block
