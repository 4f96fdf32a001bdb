"""Pictures for a probe (section 5 of the FairCLIP protocol): augmented to train, squeezed to test.

Training: a random crop of 0.5 to 1 of the area, sides 3:4 to 4:3, resized to the model's size, mirrored half
of the time. Testing: the whole picture, whatever its sides. Both bicubic.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from clipfair.core.errors import progress
from clipfair.data.images import open_image
from clipfair.models.interface import pixels_of

AREA, SIDES = (0.5, 1.0), (3 / 4, 4 / 3)
# What says where a picture lies (clipfair.data.images.open_image).
PLACE = ("key", "image", "image_bytes", "offset", "size")


class Pictures:
    """The pictures of some rows of a prepared table, opened once and held.

    Parameters
    ----------
    size : of what the model sees, in pixels.
    threads : that open and resize.
    """

    def __init__(self, table: pd.DataFrame, folder: str, *, size: int, threads: int):
        self.size, self.pool = size, ThreadPoolExecutor(threads)
        examples = table[[name for name in PLACE if name in table]].to_dict("records")
        opened = self.pool.map(lambda example: open_image(example, folder=folder), examples)
        self.images = list(progress(opened, total=len(examples), unit="image", what="opening"))

    def squeezed(self, rows: Sequence[int]) -> Tensor:
        """(n, 3, size, size) uint8."""
        return self._stack(self._resize, [self.images[row] for row in rows])

    def augmented(self, rows: Sequence[int], generator: torch.Generator) -> Tensor:
        """(n, 3, size, size) uint8; what is drawn depends on the generator and the pictures' sides alone."""
        images = [self.images[row] for row in rows]
        return self._stack(self._crop, images, draw_crops(images, generator))

    def _stack(self, make: Callable[..., Image.Image], *columns: Sequence) -> Tensor:
        return torch.stack(list(self.pool.map(lambda *given: pixels_of(make(*given)), *columns)))

    def _resize(self, image: Image.Image) -> Image.Image:
        return image.resize((self.size, self.size), Image.Resampling.BICUBIC)

    def _crop(self, image: Image.Image, drawn: tuple[int, int, int, int, bool]) -> Image.Image:
        top, left, height, width, mirrored = drawn
        cut = self._resize(image.crop((left, top, left + width, top + height)))
        return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else cut


def draw_crops(
    images: Sequence[Image.Image], generator: torch.Generator
) -> list[tuple[int, int, int, int, bool]]:
    """Top, left, height and width of a crop of each picture, by torchvision, and whether it is mirrored."""
    from torchvision.transforms import RandomResizedCrop

    seed = int(torch.randint(2**62, (1,), generator=generator))
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
        torch.manual_seed(seed)
        return [
            (*RandomResizedCrop.get_params(image, list(AREA), list(SIDES)), torch.rand(1).item() < 0.5)
            for image in images
        ]
