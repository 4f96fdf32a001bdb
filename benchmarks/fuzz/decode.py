"""Decode randomly damaged images of each format: every one is an image or a DamagedImageError.

    python benchmarks/fuzz/decode.py [--seconds 60] [--seed 0]

Prints one line a format: images tried, decoded and refused. Any other exception ends the run with its
traceback, after the damaged file was written to the current folder. Not part of the test suite.
"""

import argparse
import io
import time
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, features

from clipfair.data.images import DamagedImageError, decode_image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "AVIF", "PPM")
NEEDS = {"WEBP": "webp", "JPEG2000": "jpg_2000", "AVIF": "avif"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="per format")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow warns about odd metadata
    for form in FORMATS:
        if form in NEEDS and not features.check(NEEDS[form]):
            print(f"{form}: not supported by this Pillow")
            continue
        tried, refused = fuzz(form, arguments.seconds, np.random.default_rng(arguments.seed))
        print(f"{form}: {tried:,} tried, {tried - refused:,} decoded, {refused:,} refused", flush=True)


def fuzz(form: str, seconds: float, rng: np.random.Generator) -> tuple[int, int]:
    """Return the number of damaged images tried, and of those refused."""
    originals = [encode(form, mode, rng) for mode in ("RGB", "L")]
    end, tried, refused = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        content = damage(originals[tried % len(originals)], rng)
        tried += 1
        try:
            image = decode_image(content)
            assert image.mode == "RGB"
        except DamagedImageError:
            refused += 1
        except BaseException:
            Path(f"fuzz-{form.lower()}-{tried}.bin").write_bytes(content)
            raise
    return tried, refused


def encode(form: str, mode: str, rng: np.random.Generator) -> bytes:
    pixels = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, form)
    return stream.getvalue()


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Replace, remove or insert a few bytes, or cut the end."""
    damaged = bytearray(content)
    for _ in range(rng.integers(1, 8)):
        # Half of the changes are in the header, which decides what the decoder does.
        end = len(damaged) if rng.random() < 0.5 else min(len(damaged), 64)
        place, byte = int(rng.integers(end)), int(rng.integers(256))
        match rng.integers(4):
            case 0 | 1:
                damaged[place] = byte
            case 2:
                damaged[place:place] = bytes([byte]) * int(rng.integers(1, 9))
            case _:
                del damaged[place : place + int(rng.integers(1, 9))]
    return bytes(damaged[: rng.integers(1, len(damaged) + 1)] if rng.random() < 0.2 else damaged)


if __name__ == "__main__":
    main()
