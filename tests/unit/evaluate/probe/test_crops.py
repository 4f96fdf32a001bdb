import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional

from clipfair.evaluate.probe.crops import ProbeImages
from clipfair.models.crops import AREA, ASPECT_RATIO, draw_crops


def make_image(width=40, height=30, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def encoded(image):
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


@pytest.fixture
def held_images():
    images = [make_image(seed=seed) for seed in range(6)]
    table = pd.DataFrame({"key": range(6), "image_bytes": [encoded(image) for image in images]})
    return ProbeImages(table, "nowhere", size=16, threads=2), images


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_resized_image_is_the_whole_image_whatever_its_sides(held_images):
    held, images = held_images
    expected = np.asarray(images[2].resize((16, 16), Image.Resampling.BICUBIC))
    assert (held.resized([0, 2])[1].permute(1, 2, 0).numpy() == expected).all()


def test_augmented_is_torchvisions_crop_mirrored_or_not(held_images):
    held, images = held_images
    drawn = draw_crops([images[1], images[4]], generator())
    found = held.augmented([1, 4], generator())
    for image, (top, left, height, width, mirrored), pixels in zip(
        (images[1], images[4]), drawn, found, strict=True
    ):
        cut = functional.resized_crop(
            image, top, left, height, width, [16, 16], functional.InterpolationMode.BICUBIC
        )
        expected = functional.pil_to_tensor(functional.hflip(cut) if mirrored else cut)
        assert torch.equal(pixels, expected)


def test_crops_have_the_area_and_the_sides():
    image = make_image(200, 150)
    drawn = draw_crops([image] * 500, generator())
    areas = np.array([height * width for _, _, height, width, _ in drawn]) / (200 * 150)
    sides = np.array([width / height for _, _, height, width, _ in drawn])
    assert AREA[0] - 0.01 < areas.min() < 0.55
    assert 0.9 < areas.max() <= 1
    assert (sides > ASPECT_RATIO[0] - 0.02).all()
    assert (sides < ASPECT_RATIO[1] + 0.02).all()
    assert all(top + height <= 150 and left + width <= 200 for top, left, height, width, _ in drawn)
    assert 0.4 < np.mean([mirrored for *_, mirrored in drawn]) < 0.6


def test_what_is_drawn_is_the_generators_and_leaves_the_global_one_alone():
    image, before = make_image(), torch.get_rng_state()
    first = draw_crops([image] * 3, generator())
    assert first == draw_crops([image] * 3, generator())
    assert first != draw_crops([image] * 3, generator(1))
    assert torch.equal(torch.get_rng_state(), before)
    going_on = generator()
    assert draw_crops([image], going_on) != draw_crops([image], going_on)
