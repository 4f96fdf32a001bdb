"""Drawing of many small images at once: simple shapes with soft edges on arrays of pixels.

The images are an array (n, size, size, 3) of float32 in [0, 1]. A glyph is a tuple of shapes in a frame of
its own, x to the right and y down; :func:`draw` places that frame in the image.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

# Red, green, blue in [0, 1]; or the name of a colour that differs between images.
Colour = tuple[float, float, float] | str

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.85, 0.12, 0.12),
    "orange": (0.97, 0.55, 0.10),
    "yellow": (0.97, 0.88, 0.15),
    "green": (0.15, 0.62, 0.20),
    "blue": (0.15, 0.30, 0.85),
    "purple": (0.55, 0.20, 0.70),
    "pink": (0.97, 0.55, 0.75),
    "brown": (0.45, 0.28, 0.12),
    "white": (0.97, 0.97, 0.97),
    "black": (0.08, 0.08, 0.08),
    "grey": (0.55, 0.55, 0.55),
    "cyan": (0.25, 0.80, 0.90),
}


@dataclass(frozen=True)
class Ellipse:
    """A filled ellipse: its centre and its half axes."""

    x: float
    y: float
    rx: float
    ry: float
    colour: Colour

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance of a point, negative inside; exact for a circle, else only near the edge."""
        radius = np.hypot((x - self.x) / self.rx, (y - self.y) / self.ry)
        return (radius - 1) * min(self.rx, self.ry)


@dataclass(frozen=True)
class Ring:
    """A circle drawn with a line of half width ``half_width``."""

    x: float
    y: float
    radius: float
    half_width: float
    colour: Colour

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance of a point, negative inside."""
        return np.abs(np.hypot(x - self.x, y - self.y) - self.radius) - self.half_width


@dataclass(frozen=True)
class Box:
    """An upright rectangle: its centre and its half sides."""

    x: float
    y: float
    half_width: float
    half_height: float
    colour: Colour

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance of a point along the nearer axis, negative inside."""
        return np.maximum(np.abs(x - self.x) - self.half_width, np.abs(y - self.y) - self.half_height)


@dataclass(frozen=True)
class Segment:
    """A straight line with round ends, of half width ``half_width``."""

    x0: float
    y0: float
    x1: float
    y1: float
    half_width: float
    colour: Colour

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance of a point, negative inside."""
        dx, dy = self.x1 - self.x0, self.y1 - self.y0
        along = ((x - self.x0) * dx + (y - self.y0) * dy) / (dx * dx + dy * dy)
        along = np.clip(along, 0, 1)
        return np.hypot(x - self.x0 - along * dx, y - self.y0 - along * dy) - self.half_width


@dataclass(frozen=True)
class Polygon:
    """A convex polygon, its corners clockwise in the image (y is down)."""

    corners: tuple[tuple[float, float], ...]
    colour: Colour

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance of a point from the line of its furthest side, negative inside."""
        sides = zip(self.corners, self.corners[1:] + self.corners[:1], strict=True)
        return np.maximum.reduce([_beyond(x, y, *start, *end) for start, end in sides])


Shape = Ellipse | Ring | Box | Segment | Polygon


def _beyond(x: np.ndarray, y: np.ndarray, x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    length = np.hypot(x1 - x0, y1 - y0)
    return ((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / length


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y, each (size, size), of the centres of the pixels of the unit square."""
    steps = (np.arange(size, dtype=np.float32) + 0.5) / size
    y, x = np.meshgrid(steps, steps, indexing="ij")
    return x, y


def draw(
    pixels: np.ndarray,
    glyph: Sequence[Shape],
    *,
    where: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    scale: np.ndarray,
    tints: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Draw one glyph into some of the images, in place.

    Parameters
    ----------
    pixels
        (n, size, size, 3).
    where
        (n,) of bool: the images to draw into.
    x, y, scale
        (n,): the origin of the glyph's frame and the length of its unit, in sides of the image.
    tints
        (n, 3) for each colour that the glyph names.
    """
    rows = np.flatnonzero(where)
    if not rows.size:
        return
    size = pixels.shape[1]
    across, down = grid(size)
    unit = scale[rows, None, None].astype(np.float32)
    local_x = (across - x[rows, None, None].astype(np.float32)) / unit
    local_y = (down - y[rows, None, None].astype(np.float32)) / unit
    block = pixels[rows]
    for shape in glyph:
        colour = tints[shape.colour][rows] if isinstance(shape.colour, str) else np.array([shape.colour])
        # A pixel is covered by the part of it that lies inside the edge.
        coverage = np.clip(0.5 - shape.distance(local_x, local_y) * unit * size, 0, 1)
        paint(block, coverage, colour)
    pixels[rows] = block


def paint(pixels: np.ndarray, coverage: np.ndarray, colour: np.ndarray) -> None:
    """Paint ``colour`` (n or 1, 3) over ``pixels`` (n, size, size, 3) in place.

    ``coverage`` (n, size, size) is the share of each pixel that is painted, in [0, 1].
    """
    colour = colour.astype(np.float32)[:, None, None, :]
    pixels += coverage.astype(np.float32)[..., None] * (colour - pixels)


def vary(colours: np.ndarray, rng: np.random.Generator, spread: float = 0.04) -> np.ndarray:
    """``colours`` (n, 3) with Gaussian noise of standard deviation ``spread``, in [0, 1]."""
    return np.clip(colours + rng.normal(0, spread, colours.shape), 0, 1)


def develop(pixels: np.ndarray, rng: np.random.Generator, *, noise: float) -> np.ndarray:
    """Scale each image by a random brightness, add ``noise`` to each pixel; uint8 of the same shape."""
    light = rng.normal(1, 0.05, (len(pixels), 1, 1, 1)).astype(np.float32)
    grain = rng.standard_normal(pixels.shape, dtype=np.float32)
    return (np.clip(pixels * light + noise * grain, 0, 1) * 255 + 0.5).astype(np.uint8)


def jpeg(image: np.ndarray, *, quality: int = 92) -> bytes:
    """The JPEG file of an image (size, size, 3) or (size, size) of uint8."""
    stream = io.BytesIO()
    # Colour at full resolution: at half of it, an image of 32 pixels loses its small parts.
    Image.fromarray(image).save(stream, format="JPEG", quality=quality, subsampling=0)
    return stream.getvalue()
