"""Images for a probe: augmented for training, resized for testing (docs/fairclip-protocol.md, section 5).

Training: a random crop with 0.5 to 1 of the area and an aspect ratio of 3:4 to 4:3, resized to the model's
size, mirrored with probability 1/2. Testing: the whole image resized to the model's size, which changes its
aspect ratio. Both bicubic.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from clipfair.core.errors import progress
from clipfair.data.images import image_records, open_image
from clipfair.models.interface import pixels_of

AREA, ASPECT_RATIO = (0.5, 1.0), (3 / 4, 4 / 3)


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

    def _crop(self, image: Image.Image, crop: tuple[int, int, int, int, bool]) -> Image.Image:
        top, left, height, width, mirrored = crop
        resized = self._resize(image.crop((left, top, left + width, top + height)))
        return resized.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else resized


def draw_crops(
    images: Sequence[Image.Image], generator: torch.Generator
) -> list[tuple[int, int, int, int, bool]]:
    """Top, left, height and width of a crop of each image, by torchvision, and True if it is mirrored."""
    from torchvision.transforms import RandomResizedCrop

    seed = int(torch.randint(2**62, (1,), generator=generator))
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
        torch.manual_seed(seed)
        return [
            (
                *RandomResizedCrop.get_params(image, list(AREA), list(ASPECT_RATIO)),
                torch.rand(1).item() < 0.5,
            )
            for image in images
        ]
