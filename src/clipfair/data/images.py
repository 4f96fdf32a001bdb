"""The image of one example of a prepared dataset, from any of the forms in which datasets store images."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from clipfair.core.errors import UserError

# The array of Harvard-FairVLMed's npz files.
NPZ_ARRAY = "slo_fundus"


class DamagedImageError(Exception):
    """The reason, in one line, why an image cannot be decoded."""

    @classmethod
    def because(cls, error: Exception) -> "DamagedImageError":
        """The error of a decoder as a reason."""
        return cls(" ".join(str(error).split()) or type(error).__name__)


def decode_image(content: bytes) -> Image.Image:
    """Decode an image file's content as RGB, 8 bits a channel.

    Grey images of 16 bits are scaled to 8. The EXIF orientation is ignored, as in the preprocessing of CLIP
    and open_clip.

    Raises
    ------
    DamagedImageError
        If it is damaged, is too large, or has pixels of 32 bits or floats.
    """
    # The decoders of Pillow's formats raise almost any exception on damaged content, MemoryError included.
    try:
        with Image.open(io.BytesIO(content)) as image:
            return _to_rgb(image)
    except Exception as error:
        raise DamagedImageError.because(error) from None


def _to_rgb(image: Image.Image) -> Image.Image:
    # Pillow clips these modes to [0, 255] instead of scaling them.
    if image.mode.startswith("I;16"):
        grey = np.asarray(image, dtype=np.uint16)
        return Image.fromarray(np.round(grey / 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode}; expected 8 or 16 bits a channel")
    return image.convert("RGB")


def open_image(example: Mapping, *, folder: str | Path) -> Image.Image:
    """Open the image of one row of a prepared table, as RGB.

    Parameters
    ----------
    example
        A row with ``image_bytes``, an encoded image; or with ``image``, a path relative to ``folder``:
        an image, an .npz with the array ``slo_fundus`` (values in [0, 255]; (H, W) or (H, W, 3)), or,
        if the row has ``offset`` and ``size`` (bytes), a file that contains the image at that position.
    folder
        The dataset's folder.

    Raises
    ------
    UserError
        If the file is missing, or does not open as an image.
    """
    if "image_bytes" in example:
        return _open(f"{folder}: {example['key']}", lambda: decode_image(example["image_bytes"]))
    path = Path(folder, example["image"])
    if not path.is_file():
        raise UserError(f"{path}: no such image; fetch the dataset again")
    if "offset" in example:
        return _open(f"{path}: {example['key']}", lambda: decode_image(_read_part(path, example)))
    if path.suffix == ".npz":
        return _open(str(path), lambda: _from_npz(path))
    return _open(str(path), lambda: decode_image(path.read_bytes()))


def _open(place: str, read: Callable[[], Image.Image]) -> Image.Image:
    try:
        return read()
    except DamagedImageError as error:
        raise UserError(
            f"{place}: not an image that opens ({error}); replace it with the published file"
        ) from None


def _read_part(path: Path, example: Mapping) -> bytes:
    with path.open("rb") as stream:
        stream.seek(int(example["offset"]))
        return stream.read(int(example["size"]))


def _from_npz(path: Path) -> Image.Image:
    try:
        # An array of objects would be a pickle, which could run code.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            check_npz_image(arrays)
            values = arrays[NPZ_ARRAY]
        if not (values.min() >= 0 and values.max() <= 255):
            raise ValueError(f"{NPZ_ARRAY} of shape {values.shape} is no image with values from 0 to 255")
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    except Exception as error:
        raise DamagedImageError.because(error) from None


def check_npz_image(arrays: np.lib.npyio.NpzFile) -> None:
    """Check shape and type of the image of an open npz, from the header of its array alone.

    Raises
    ------
    KeyError
        If there is no array ``slo_fundus``.
    ValueError
        If it is no array of numbers of shape (H, W) or (H, W, 3).
    """
    with arrays.zip.open(f"{NPZ_ARRAY}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError(f"{NPZ_ARRAY} holds objects, which allow_pickle=False refuses")
    is_image = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
    if not is_image or 0 in shape or dtype.kind not in "uif":
        raise ValueError(
            f"{NPZ_ARRAY} of shape {shape} and type {dtype} is no image; "
            "expected numbers of shape (H, W) or (H, W, 3)"
        )


def image_records(table: pd.DataFrame) -> list[dict]:
    """The rows of a prepared table with the columns that :func:`open_image` reads."""
    columns = [name for name in ("key", "image", "image_bytes", "offset", "size") if name in table]
    return table[columns].to_dict("records")
