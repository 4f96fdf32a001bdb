"""Images resized to the square that a model expects, by one of four methods."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from clipfair.core.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

# squash: both sides, bilinear with antialiasing, as Pillow. sample: both sides, bilinear without
# antialiasing, as big_vision. squash-bicubic: both sides, bicubic, as LAVIS. crop: the shorter side, bicubic,
# as CLIP.
# crop first cuts the ends off an image that is longer than this many times its shorter side.
MAX_ASPECT_RATIO = 16
ResizeMethod = Literal["squash", "sample", "squash-bicubic", "crop"]


def make_resize(
    method: ResizeMethod, size: int, resized_to: int | None = None
) -> Callable[["Image"], "Image"]:
    """Return the function from an image to RGB of size x size.

    Parameters
    ----------
    method
        ``squash``, ``sample`` or ``squash-bicubic``: both sides, ignoring the aspect ratio; ``crop``: the
        shorter side.
    size
        The side of the result, in pixels.
    resized_to
        The side before the centre of the result's size is cut out; ``size`` unless given.

    Raises
    ------
    UserError
        If images are to be resized to less than ``size``.
    """
    side = size if resized_to is None else resized_to
    if side < size:
        raise UserError(
            f"config.evaluations: resize: {side}; expected at least the model's image size, {size} pixels"
        )

    def resize(image: "Image") -> "Image":
        return _cut_centre(_RESIZERS[method](image.convert("RGB"), side), size)

    return resize


def _cut_centre(image: "Image", size: int) -> "Image":
    if image.size == (size, size):
        return image
    # As torchvision, margins are rounded.
    left, top = (round((side - size) / 2) for side in image.size)
    return image.crop((left, top, left + size, top + size))


def _squash(image: "Image", side: int) -> "Image":
    from PIL import Image

    return image if image.size == (side, side) else image.resize((side, side), Image.Resampling.BILINEAR)


def _squash_bicubic(image: "Image", side: int) -> "Image":
    from PIL import Image

    return image.resize((side, side), Image.Resampling.BICUBIC)


def _shrink_shorter_side(image: "Image", side: int) -> "Image":
    from PIL import Image

    image = _without_ends(image)
    scale = side / min(image.size)
    # As torchvision, the longer side is truncated to an integer.
    width, height = (max(side, int(length * scale)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _without_ends(image: "Image") -> "Image":
    """Crop a very long image to its centre: resized as a whole, it would need gigabytes."""
    longest = MAX_ASPECT_RATIO * min(image.size)
    width, height = (min(length, longest) for length in image.size)
    if (width, height) == image.size:
        return image
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _sample(image: "Image", side: int) -> "Image":
    """As big_vision, truncate the interpolated values to integers."""
    from PIL import Image

    return Image.fromarray(interpolate(np.asarray(image), side, side).astype(np.uint8))


def interpolate(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image by bilinear interpolation of the four nearest pixels, without antialiasing.

    Pixel i of n lies at (i + 1/2) / n of the side, as in tf.image.resize; beyond the outermost pixels their
    value is repeated. The order of operations leaves an area of one colour exactly as it is.

    Parameters
    ----------
    pixels
        (H, W, channels), in [0, 255].

    Returns
    -------
    (height, width, channels) float32.
    """
    top, bottom, down = _neighbours(pixels.shape[0], height)
    left, right, across = _neighbours(pixels.shape[1], width)
    across = across[:, None]

    def blend_across(rows: np.ndarray) -> np.ndarray:
        lines = pixels[rows]
        start = lines[:, left].astype(np.float32)
        return start + (lines[:, right] - start) * across

    above = blend_across(top)
    return above + (blend_across(bottom) - above) * down[:, None, None]


def _neighbours(length: int, resized: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two nearest pixels of each place of a resized side, and the weight of the second."""
    places = (np.arange(resized, dtype=np.float32) + np.float32(0.5)) * np.float32(length / resized)
    places = np.clip(places - np.float32(0.5), 0, length - 1)
    first = places.astype(np.intp)
    return first, np.minimum(first + 1, length - 1), places - first.astype(np.float32)


_RESIZERS: dict[ResizeMethod, Callable[["Image", int], "Image"]] = {
    "squash": _squash,
    "sample": _sample,
    "squash-bicubic": _squash_bicubic,
    "crop": _shrink_shorter_side,
}
