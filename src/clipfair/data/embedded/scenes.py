"""Scenes with people in boxes: MIAP's label files and a folder of images."""

from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.core.io import write_csv, write_text
from clipfair.data.embedded.draw import develop, jpeg
from clipfair.data.embedded.image_settings import SceneSettings
from clipfair.data.embedded.people import draw_looks, draw_people
from clipfair.data.embedded.scenery import BACKGROUNDS, draw_backgrounds

PERSON = "/m/01g317"
AGES = np.array(["Young", "Middle", "Older"])
# Extent of a person (BODY and LONG_HAIR) from the head's centre, in half heights of the head.
REACH_X, REACH_UP, REACH_DOWN = 1.75, 1.25, 5.1


def generate_scenes(folder: Path, settings: SceneSettings, rng: np.random.Generator) -> None:
    """Write ``images/`` and, for train, val and test, the list and the boxes of their images."""
    for split, n in {"train": settings.train, "val": settings.val, "test": settings.test}.items():
        # Sixteen hexadecimal digits, as in Open Images.
        names = [f"{number:016x}" for number in rng.integers(2**63, size=n)]
        pixels = draw_backgrounds(settings.size, rng.integers(len(BACKGROUNDS), size=n), rng)
        two = rng.random(n) < settings.second_person
        boxes = pd.concat(
            [
                _add_people(pixels, np.ones(n, dtype=bool), np.where(two, 0.28, 0.5), names, settings, rng),
                _add_people(pixels, two, np.full(n, 0.74), names, settings, rng),
            ]
        )
        for name, image in zip(names, develop(pixels, rng, noise=settings.noise), strict=True):
            path = folder / "images" / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(image))
        prefix = "open_images_extended_miap"
        write_csv(folder / f"{prefix}_boxes_{split}.csv", boxes.sort_values(["ImageID", "XMin"]))
        write_text(folder / f"{prefix}_images_{split}.lst", "".join(f"{name}\n" for name in sorted(names)))


def _add_people(
    pixels: np.ndarray,
    where: np.ndarray,
    x: np.ndarray,
    names: list[str],
    settings: SceneSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw one person around ``x`` into each image where ``where`` is true; returns their rows of MIAP."""
    n = len(pixels)
    women = rng.random(n) >= settings.share_men
    hidden = rng.random(n) < settings.share_unknown
    age = rng.choice(len(AGES), size=n, p=[0.2, 0.6, 0.2])
    grey = np.where(age == 2, 0.9, 0.0)
    x = x + rng.uniform(-0.03, 0.03, n)
    scale = rng.uniform(0.125, 0.155, n) * np.where(age == 0, 0.85, 1)
    y = rng.uniform(0.32, 0.40, n)
    people = draw_looks(rng, women, settings.look, grey=grey, hidden=hidden)
    draw_people(pixels, people, where=where, x=x, y=y, scale=scale)
    shown = np.where(women, "Predominantly Feminine", "Predominantly Masculine")
    rows = pd.DataFrame(
        {
            "ImageID": names,
            "LabelName": PERSON,
            "Confidence": 1,
            "XMin": np.clip(x - REACH_X * scale, 0, 1).round(6),
            "XMax": np.clip(x + REACH_X * scale, 0, 1).round(6),
            "YMin": np.clip(y - REACH_UP * scale, 0, 1).round(6),
            "YMax": np.clip(y + REACH_DOWN * scale, 0, 1).round(6),
            "IsOccluded": 0,
            "IsTruncated": (y + REACH_DOWN * scale > 1).astype(int),
            "IsGroupOf": 0,
            "IsDepictionOf": 0,
            "IsInsideOf": 0,
            "GenderPresentation": np.where(hidden, "Unknown", shown),
            "AgePresentation": np.where(hidden, "Unknown", AGES[age]),
        }
    )
    return rows[where]
