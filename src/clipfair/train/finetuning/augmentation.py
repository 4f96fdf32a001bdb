"""Augmented images of a fine-tuning: random crops, drawn again at every step.

The images are opened again for each batch, because a cache of resized images has nothing to crop.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from clipfair.data.images import image_records, open_image
from clipfair.models.crops import cut, draw_crops
from clipfair.models.interface import BuiltModel, pixels_of
from clipfair.train.finetuning.examples import Examples


class AugmentedImages:
    """The images of a split, cropped at random.

    Parameters
    ----------
    examples
        The split.
    folder
        The dataset's folder.
    size
        The side of an image, in pixels.
    """

    def __init__(self, examples: Examples, folder: str, size: int):
        self.records, self.folder, self.size = image_records(examples.table), folder, size
        self.pool = ThreadPoolExecutor(torch.get_num_threads())

    def pixels(self, rows: np.ndarray, seed: tuple[int, ...]) -> Tensor:
        """Return a crop of each image; (len(rows), 3, size, size) uint8. Equal seeds give equal crops."""
        images = list(self.pool.map(lambda row: open_image(self.records[row], folder=self.folder), rows))
        state = np.random.SeedSequence(seed).generate_state(1)[0]
        crops = draw_crops(images, torch.Generator().manual_seed(int(state)))
        resized = self.pool.map(
            lambda image, crop: pixels_of(cut(image.convert("RGB"), crop, self.size)), images, crops
        )
        return torch.stack(list(resized))


def augmented_images(
    recipe: Mapping, examples: Examples, data: Mapping, built: BuiltModel
) -> AugmentedImages | None:
    """Return the augmented images of a recipe with ``augment: true``, None for one without."""
    if not recipe.get("augment"):
        return None
    return AugmentedImages(examples, data["raw"], built.size)
