import numpy as np
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch.nn import functional

from clipfair.core.errors import UserError
from clipfair.models.resizing import MAX_ASPECT_RATIO, interpolate, make_resize


def random_pixels(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((50, 70), (32, 32)),
        ((31, 17), (64, 40)),
        ((480, 640), (224, 224)),
        ((1, 5), (3, 3)),
        ((8, 8), (8, 8)),
    ],
)
def test_interpolation_against_torch(source, target):
    pixels = random_pixels(*source)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    theirs = functional.interpolate(
        tensor, size=target, mode="bilinear", align_corners=False, antialias=False
    )
    ours = interpolate(pixels, *target)
    assert ours.dtype == np.float32
    assert np.allclose(ours, theirs[0].permute(1, 2, 0).numpy(), atol=1e-2)


def test_interpolation_of_four_pixels():
    """From 2 to 4 pixels of a side, places are at -1/4, 1/4, 3/4 and 5/4; the outermost are repeated."""
    pixels = np.array([[0, 100], [200, 40]], dtype=np.uint8)[:, :, None]
    across = np.array([[0, 25, 75, 100], [200, 160, 80, 40]])
    expected = [
        across[0],
        0.75 * across[0] + 0.25 * across[1],
        0.25 * across[0] + 0.75 * across[1],
        across[1],
    ]
    assert np.array_equal(interpolate(pixels, 4, 4)[:, :, 0], np.array(expected))


def test_a_ramp_stays_a_ramp():
    ramp = np.tile(np.arange(200, dtype=np.uint8), (200, 1))[:, :, None]
    places = (np.arange(64) + 0.5) * 200 / 64 - 0.5
    assert np.allclose(interpolate(ramp, 64, 64)[:, :, 0], np.tile(places, (64, 1)), atol=1e-4)


def test_values_are_truncated_and_areas_of_one_colour_kept():
    pixels = np.array([[0, 255]], dtype=np.uint8)[:, :, None].repeat(3, axis=2)
    resized = np.asarray(make_resize("sample", 4)(Image.fromarray(pixels)))
    assert resized[0, :, 0].tolist() == [0, 63, 191, 255]  # of 0, 63.75, 191.25, 255
    for colour in range(256):
        even = Image.new("RGB", (67, 45), (colour, colour, colour))
        assert set(make_resize("sample", 32)(even).get_flattened_data()) == {(colour, colour, colour)}


def test_without_antialiasing_pixels_between_the_places_do_not_count():
    """Of eight pixels to two, only those at 1, 2, 5 and 6 are read; antialiasing weighs them all."""
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[:, [0, 3, 4, 7]] = 255
    image = Image.fromarray(pixels)
    assert np.asarray(make_resize("sample", 2)(image)).max() == 0
    assert np.asarray(make_resize("squash", 2)(image)).min() > 50


@pytest.mark.parametrize("method", ["squash", "sample", "crop"])
def test_resizing_to_more_cuts_out_the_centre(method):
    image = Image.fromarray(random_pixels(300, 300))
    larger = make_resize(method, 256)(image)
    found = make_resize(method, 224, 256)(image)
    assert np.array_equal(np.asarray(found), np.asarray(larger)[16:-16, 16:-16])


@pytest.mark.parametrize("method", ["squash", "sample", "crop"])
def test_an_image_of_the_right_size_is_unchanged(method):
    pixels = random_pixels(32, 32)
    assert np.array_equal(np.asarray(make_resize(method, 32)(Image.fromarray(pixels))), pixels)


def test_a_crop_larger_than_the_image_is_reported():
    with pytest.raises(UserError, match=r"resize: 200; expected at least the model's image size, 224 pixels"):
        make_resize("sample", 224, 200)


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (3, 3 * MAX_ASPECT_RATIO + 1)])
def test_a_very_long_image_is_resized_to_its_centre_only(size):
    """Its ends are black, its centre is white: as a whole the first would have 224 x 4,480,000 pixels."""
    image = Image.new("RGB", size)
    width, height = (min(side, 5 * min(size)) for side in size)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    image.paste("white", (left, top, left + width, top + height))
    cropped = make_resize("crop", 224)(image)
    assert cropped.size == (224, 224)
    assert np.asarray(cropped).min() == 255


@pytest.mark.parametrize("size", [(70, 50), (50, 70), (20, 20 * MAX_ASPECT_RATIO), (33, 480)])
def test_an_image_that_is_not_very_long_is_resized_and_cropped_as_by_open_clip(size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    transform = image_transform_v2(PreprocessCfg(size=32), is_train=False)
    [resize, crop, *_] = transform.transforms
    image = Image.fromarray(pixels)
    np.testing.assert_array_equal(make_resize("crop", 32)(image), crop(resize(image)))
