"""Random crops of images, as LAVIS and the released probes augment (docs/fairclip-protocol.md, section 5).

A crop has 0.5 to 1 of the area and an aspect ratio of 3:4 to 4:3. It is resized to the model's size, bicubic,
and mirrored with probability 1/2.
"""

from collections.abc import Sequence

import torch
from PIL import Image

AREA, ASPECT_RATIO = (0.5, 1.0), (3 / 4, 4 / 3)

Crop = tuple[int, int, int, int, bool]  # top, left, height, width, mirrored


def draw_crops(images: Sequence[Image.Image], generator: torch.Generator) -> list[Crop]:
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


def cut(image: Image.Image, crop: Crop, size: int) -> Image.Image:
    """Cut a crop out of an image and resize it to ``size`` x ``size``."""
    top, left, height, width, mirrored = crop
    resized = image.crop((left, top, left + width, top + height)).resize(
        (size, size), Image.Resampling.BICUBIC
    )
    return resized.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else resized
