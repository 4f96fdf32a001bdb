"""People of a perceived gender: their looks, and how they are drawn."""

from dataclasses import dataclass

import numpy as np

from clipfair.data.embedded import glyphs
from clipfair.data.embedded.common_settings import LookSettings
from clipfair.data.embedded.draw import draw, vary

# Skin and hair: red, green, blue. Each race of the face datasets has one tone of skin and one of hair.
SKIN_TONES = np.array(
    [(0.98, 0.86, 0.76), (0.95, 0.80, 0.64), (0.88, 0.70, 0.52), (0.76, 0.57, 0.40), (0.45, 0.29, 0.19)]
)
HAIR_TONES = np.array([(0.10, 0.07, 0.06), (0.33, 0.20, 0.10), (0.80, 0.62, 0.28), (0.62, 0.25, 0.10)])
GREY_HAIR = np.array((0.80, 0.80, 0.80))
CLOTHES_TONES = np.array(
    [(0.30, 0.45, 0.75), (0.75, 0.30, 0.30), (0.35, 0.60, 0.45), (0.60, 0.55, 0.65), (0.80, 0.70, 0.45)]
)


@dataclass(frozen=True)
class People:
    """n people; every array has n rows. Colours are (n, 3) in [0, 1].

    ``grey`` is the share of grey in the colour of the hair, ``wrinkled`` true where wrinkles are visible;
    ``hidden`` people are seen from behind, so that no gender is perceived.
    """

    long_hair: np.ndarray
    beard: np.ndarray
    red_lips: np.ndarray
    skin: np.ndarray
    hair: np.ndarray
    clothes: np.ndarray
    grey: np.ndarray
    wrinkled: np.ndarray
    hidden: np.ndarray


def draw_looks(
    rng: np.random.Generator,
    women: np.ndarray,
    look: LookSettings,
    *,
    skin: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    grey: np.ndarray | None = None,
    hidden: np.ndarray | None = None,
) -> People:
    """Draw the looks of women where ``women`` (n,) is true, and of men elsewhere, at random.

    Parameters
    ----------
    skin, hair
        (n,) indices of ``SKIN_TONES`` and ``HAIR_TONES``; drawn at random if not given.
    grey
        (n,) in [0, 1]; from 0.5 on, wrinkles are visible.
    hidden
        (n,) of bool.
    """
    n = len(women)
    skin = rng.integers(len(SKIN_TONES), size=n) if skin is None else skin
    hair = rng.integers(len(HAIR_TONES), size=n) if hair is None else hair
    grey = np.zeros(n) if grey is None else grey
    hidden = np.zeros(n, dtype=bool) if hidden is None else hidden

    def happens(among_women: float, among_men: float) -> np.ndarray:
        return rng.random(n) < np.where(women, among_women, among_men)

    return People(
        long_hair=happens(look.long_hair_women, look.long_hair_men),
        beard=happens(0, look.beard_men),
        red_lips=happens(look.red_lips_women, 0),
        skin=vary(SKIN_TONES[skin], rng),
        hair=vary(HAIR_TONES[hair] * (1 - grey[:, None]) + GREY_HAIR * grey[:, None], rng),
        clothes=vary(CLOTHES_TONES[rng.integers(len(CLOTHES_TONES), size=n)], rng),
        grey=grey,
        wrinkled=grey >= 0.5,
        hidden=hidden,
    )


def draw_people(
    pixels: np.ndarray, people: People, *, where: np.ndarray, x: np.ndarray, y: np.ndarray, scale: np.ndarray
) -> None:
    """Draw one person into each image where ``where`` is true, in place.

    ``where``, ``x``, ``y`` and ``scale`` are those of :func:`clipfair.data.embedded.draw.draw`.
    """
    tints = {
        "skin": people.skin,
        "hair": people.hair,
        "clothes": people.clothes,
        "shade": people.skin * 0.7,
    }
    visible = where & ~people.hidden
    layers = (
        (glyphs.BODY, where),
        (glyphs.LONG_HAIR, visible & people.long_hair),
        (glyphs.SHORT_HAIR, visible & ~people.long_hair),
        (glyphs.FACE, visible),
        (glyphs.WRINKLES, visible & people.wrinkled),
        (glyphs.BEARD, visible & people.beard),
        (glyphs.RED_LIPS, visible & people.red_lips & ~people.beard),
        (glyphs.MOUTH, visible & ~people.red_lips & ~people.beard),
        (glyphs.HOOD, where & people.hidden),
    )
    for glyph, chosen in layers:
        draw(pixels, glyph, where=chosen, x=x, y=y, scale=scale, tints=tints)
