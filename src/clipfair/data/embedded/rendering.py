"""Rendering: from the contents of images to their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipfair.data.embedded.common_settings import LookSettings
from clipfair.data.embedded.draw import COLOURS, develop, draw
from clipfair.data.embedded.glyphs import OBJECTS, PROXIES, UNIFORMS
from clipfair.data.embedded.grammar import Content
from clipfair.data.embedded.people import draw_looks, draw_people
from clipfair.data.embedded.scenery import (
    BACKGROUNDS,
    TEXTURES,
    draw_backgrounds,
    draw_marks,
    draw_single,
    draw_textures,
)

# Images that are drawn together: few enough for the processor's cache, several times as fast as thousands.
BLOCK = 250


@dataclass(frozen=True)
class Framing:
    """Framing of the content of n images, each field (n,) bool.

    Attributes
    ----------
    uniform : the uniform of the occupation is visible, worn or without a person.
    close_up : the person's face alone is shown, large.
    """

    uniform: np.ndarray
    close_up: np.ndarray

    def of(self, block: slice) -> "Framing":
        """The framing of some of the images."""
        return Framing(self.uniform[block], self.close_up[block])


def render_images(
    contents: Sequence[Content],
    framing: Framing,
    look: LookSettings,
    rng: np.random.Generator,
    *,
    size: int,
    noise: float,
) -> np.ndarray:
    """Draw an image of each of ``contents``: uint8 (n, size, size, 3)."""
    blocks = [slice(start, start + BLOCK) for start in range(0, len(contents), BLOCK)]
    pixels = [
        _draw_block(contents[block], framing.of(block), look, rng, size=size, noise=noise) for block in blocks
    ]
    return np.concatenate(pixels)


def _draw_block(
    contents: Sequence[Content],
    framing: Framing,
    look: LookSettings,
    rng: np.random.Generator,
    *,
    size: int,
    noise: float,
) -> np.ndarray:
    person = np.array([content.person for content in contents])
    objects = _indices([content.object for content in contents], list(OBJECTS))
    pixels = draw_backgrounds(
        size, _indices([c.background or "office" for c in contents], list(BACKGROUNDS)), rng
    )
    first, second = (
        np.array([COLOURS[(*c.colours, "white", "white")[position]] for c in contents]) for position in (0, 1)
    )
    textures = _indices([content.texture for content in contents], list(TEXTURES))
    draw_textures(pixels, textures, first, second, rng)
    draw_single(pixels, list(OBJECTS.values()), np.where(person, -1, objects), rng)

    marks = [
        (glyph, np.array([name in content.proxies for content in contents]))
        for name, glyph in PROXIES.items()
    ]
    marks += [(glyph, person & (objects == index)) for index, glyph in enumerate(OBJECTS.values())]
    # Before the person: a close face may cover a part of them, but they must not cover the face.
    draw_marks(pixels, marks, rng)
    _draw_persons(pixels, contents, person, framing, look, rng)
    return develop(pixels, rng, noise=noise)


def _draw_persons(
    pixels: np.ndarray,
    contents: Sequence[Content],
    person: np.ndarray,
    framing: Framing,
    look: LookSettings,
    rng: np.random.Generator,
) -> None:
    n = len(pixels)
    x = rng.uniform(0.46, 0.54, n)
    scale = np.where(framing.close_up, rng.uniform(0.22, 0.34, n), rng.uniform(0.125, 0.155, n))
    y = np.where(framing.close_up, rng.uniform(0.42, 0.5, n), rng.uniform(0.32, 0.38, n))
    people = draw_looks(rng, np.array([content.gender == "woman" for content in contents]), look)
    draw_people(pixels, people, where=person, x=x, y=y, scale=scale)
    for name, glyph in UNIFORMS.items():
        worn = framing.uniform & np.array([content.occupation == name for content in contents])
        draw(pixels, glyph, where=worn, x=x, y=y, scale=scale)


def _indices(names: Sequence[str | None], order: list[str]) -> np.ndarray:
    """The index of each name in ``order``; -1 for None."""
    place = {None: -1, **{name: index for index, name in enumerate(order)}}
    return np.array([place[name] for name in names])
