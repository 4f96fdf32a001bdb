"""Images for a probe: augmented for training, resized for testing (docs/fairclip-protocol.md, section 5).

Training: random crops (:mod:`clipfair.models.crops`). Testing: the whole image resized to the model's size,
which changes its aspect ratio. Both bicubic.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from clipfair.core.errors import progress
from clipfair.data.images import image_records, open_image
from clipfair.models.crops import Crop, cut, draw_crops
from clipfair.models.interface import pixels_of


class ProbeImages:
    """The images of some rows of a prepared table, opened once and held in memory.

    Parameters
    ----------
    size : the model's image size, in pixels.
    threads : the number of threads that open and resize.
    """

    def __init__(self, table: pd.DataFrame, folder: str, *, size: int, threads: int):
        self.size, self.pool = size, ThreadPoolExecutor(threads)
        examples = image_records(table)
        opened = self.pool.map(lambda example: open_image(example, folder=folder), examples)
        self.images = list(progress(opened, total=len(examples), unit="image", what="opening"))

    def resized(self, rows: Sequence[int]) -> Tensor:
        """Whole images; (n, 3, size, size) uint8."""
        return self._stack(self._resize, [self.images[row] for row in rows])

    def augmented(self, rows: Sequence[int], generator: torch.Generator) -> Tensor:
        """Random crops, decided by the generator and the sizes of the images; (n, 3, size, size) uint8."""
        images = [self.images[row] for row in rows]
        return self._stack(self._crop, images, draw_crops(images, generator))

    def _stack(self, make: Callable[..., Image.Image], *columns: Sequence) -> Tensor:
        return torch.stack(list(self.pool.map(lambda *given: pixels_of(make(*given)), *columns)))

    def _resize(self, image: Image.Image) -> Image.Image:
        return image.resize((self.size, self.size), Image.Resampling.BICUBIC)

    def _crop(self, image: Image.Image, crop: Crop) -> Image.Image:
        return cut(image, crop, self.size)
