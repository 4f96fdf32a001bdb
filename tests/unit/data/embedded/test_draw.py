"""Drawing: areas in closed form, masks, colours."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from clipfair.data.embedded import glyphs
from clipfair.data.embedded.draw import Box, Ellipse, Polygon, Ring, Segment, develop, draw, jpeg, vary

RED = (1.0, 0.0, 0.0)
EVERY_GLYPH = {
    **glyphs.OBJECTS,
    **glyphs.PROXIES,
    **glyphs.UNIFORMS,
    **{name: getattr(glyphs, name) for name in ("BODY", "LONG_HAIR", "SHORT_HAIR", "FACE", "BEARD", "HOOD")},
}


def black(n=1, size=96):
    return np.zeros((n, size, size, 3), dtype=np.float32)


def at(n=1, *, x=0.5, y=0.5, scale=0.4):
    return {"x": np.full(n, x), "y": np.full(n, y), "scale": np.full(n, scale)}


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (Ellipse(0, 0, 0.8, 0.8, RED), math.pi * 0.8**2),
        (Ellipse(0.1, -0.1, 0.9, 0.6, RED), math.pi * 0.9 * 0.6),
        (Ring(0, 0, 0.6, 0.2, RED), math.pi * (0.8**2 - 0.4**2)),
        (Box(0.2, 0, 0.5, 0.3, RED), 4 * 0.5 * 0.3),
        (Segment(-0.5, -0.5, 0.5, 0.5, 0.2, RED), math.sqrt(2) * 0.4 + math.pi * 0.2**2),
        (Polygon(((0, -0.8), (0.8, 0.8), (-0.8, 0.8)), RED), 1.6 * 1.6 / 2),
    ],
)
def test_a_shape_covers_its_area(shape, area):
    pixels = black()
    draw(pixels, (shape,), where=np.array([True]), **at())
    assert pixels[..., 0].mean() == pytest.approx(area * 0.4**2, rel=0.02)
    assert not pixels[..., 1:].any()


def test_only_the_chosen_images_change():
    pixels = black(3)
    draw(pixels, (Box(0, 0, 1, 1, RED),), where=np.array([False, True, False]), **at(3))
    assert [image.any() for image in pixels] == [False, True, False]


def test_nothing_chosen_changes_nothing():
    pixels = black(2)
    draw(pixels, (Box(0, 0, 1, 1, RED),), where=np.zeros(2, dtype=bool), **at(2))
    assert not pixels.any()


def test_each_image_has_its_own_place_and_tint():
    pixels = black(2, size=10)
    tints = {"own": np.array([(1.0, 0, 0), (0, 0, 1.0)])}
    place = {"x": np.array([0.25, 0.75]), "y": np.array([0.25, 0.75]), "scale": np.array([0.25, 0.25])}
    draw(pixels, (Box(0, 0, 1, 1, "own"),), where=np.ones(2, dtype=bool), tints=tints, **place)
    assert pixels[0, 2, 2].tolist() == [1, 0, 0]
    assert pixels[1, 7, 7].tolist() == [0, 0, 1]
    assert not pixels[0, 7, 7].any()
    assert not pixels[1, 2, 2].any()


@pytest.mark.parametrize("name", EVERY_GLYPH)
def test_polygons_run_clockwise(name):
    """Run the other way, a polygon would be empty or fill everything but itself."""
    for shape in EVERY_GLYPH[name]:
        if isinstance(shape, Polygon):
            x, y = np.mean(shape.corners, axis=0)
            assert shape.distance(x, y) < 0
            assert shape.distance(5.0, 5.0) > 0


@pytest.mark.parametrize("kind", [glyphs.OBJECTS, glyphs.PROXIES])
def test_glyphs_stay_in_their_frame_and_differ(kind):
    images = []
    for glyph in kind.values():
        pixels = np.full((1, 60, 60, 3), 0.5, dtype=np.float32)
        draw(pixels, glyph, where=np.array([True]), **at(scale=0.4))
        outside = np.abs(pixels[0] - 0.5).max(axis=2)
        outside[5:55, 5:55] = 0
        assert not outside.any()
        images.append(pixels[0])
    for index, image in enumerate(images):
        for other in images[:index]:
            assert np.abs(image - other).mean() > 0.02


def test_vary_stays_in_range():
    colours = np.array([(0.0, 0.5, 1.0)] * 200)
    varied = vary(colours, np.random.default_rng(0), spread=0.1)
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert len(np.unique(varied[:, 1])) == 200


def test_develop_adds_noise_of_the_given_size():
    pixels = np.full((1, 128, 128, 3), 0.5, dtype=np.float32)
    image = develop(pixels, np.random.default_rng(0), noise=0.1)
    assert image.dtype == np.uint8
    assert image.std() / 255 == pytest.approx(0.1, rel=0.03)


def test_jpeg_is_read_back_nearly_as_it_was():
    pixels = np.full((1, 32, 32, 3), 0.9, dtype=np.float32)
    draw(pixels, glyphs.OBJECTS["apple"], where=np.array([True]), **at())
    image = develop(pixels, np.random.default_rng(0), noise=0.0)[0]
    read = np.asarray(Image.open(io.BytesIO(jpeg(image))))
    assert read.shape == (32, 32, 3)
    assert np.abs(read.astype(int) - image).mean() < 4
