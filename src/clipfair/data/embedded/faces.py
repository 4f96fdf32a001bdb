"""Faces with labels: the folders of FairFace (``generate_faces``) and UTKFace (``generate_named_faces``).

Age, gender and race are drawn independently, age and race with FairFace's published shares. The
groups differ in the tones of skin and hair, and ages in grey hair and wrinkles: features that a tiny
model can learn, without any other meaning.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.core.io import write_csv
from clipfair.data.embedded.common_settings import LookSettings
from clipfair.data.embedded.draw import develop, jpeg
from clipfair.data.embedded.image_settings import FaceSettings, NamedFaceSettings
from clipfair.data.embedded.people import draw_looks, draw_people
from clipfair.data.embedded.scenery import draw_plain

# Shares of FairFace's training labels; skin and hair are indices of the tones.
RACES = pd.DataFrame(
    [
        ("East Asian", 0.142, 1, 0),
        ("Indian", 0.142, 3, 0),
        ("Black", 0.141, 4, 0),
        ("White", 0.191, 0, 2),
        ("Middle Eastern", 0.106, 2, 1),
        ("Southeast Asian", 0.124, 2, 0),
        ("Latino_Hispanic", 0.154, 3, 1),
    ],
    columns=["name", "share", "skin", "hair"],
)
AGES = pd.DataFrame(
    [
        ("0-2", 0, 0.021),
        ("3-9", 3, 0.120),
        ("10-19", 10, 0.105),
        ("20-29", 20, 0.295),
        ("30-39", 30, 0.222),
        ("40-49", 40, 0.124),
        ("50-59", 50, 0.072),
        ("60-69", 60, 0.032),
        ("more than 70", 70, 0.009),
    ],
    columns=["name", "from", "share"],
)
# UTKFace's codes 0 to 4 are White, Black, Asian, Indian, Others.
NAMED_RACES = ("White", "Black", "East Asian", "Indian", "Latino_Hispanic")


def generate_faces(folder: Path, settings: FaceSettings, rng: np.random.Generator) -> None:
    """Write ``train/``, ``val/`` and ``fairface_label_{train,val}.csv`` into ``folder``."""
    for split, n in {"train": settings.train, "val": settings.val}.items():
        women = rng.random(n) >= settings.share_men
        race = _choose(rng, RACES["share"], n)
        age = _choose(rng, AGES["share"], n)
        images = _draw_faces(
            rng,
            settings.look,
            women=women,
            race=race,
            years=AGES["from"].to_numpy()[age],
            size=settings.size,
            noise=settings.noise,
        )
        names = [f"{split}/{number}.jpg" for number in range(1, n + 1)]
        _write(folder, names, images)
        labels = pd.DataFrame(
            {
                "file": names,
                "age": AGES["name"].to_numpy()[age],
                "gender": np.where(women, "Female", "Male"),
                "race": RACES["name"].to_numpy()[race],
                "service_test": rng.random(n) < 0.464,  # FairFace's own share
            }
        )
        write_csv(folder / f"fairface_label_{split}.csv", labels)


def generate_named_faces(folder: Path, settings: NamedFaceSettings, rng: np.random.Generator) -> None:
    """Write ``UTKFace/<age>_<gender>_<race>_<date and time>.jpg.chip.jpg`` into ``folder``."""
    n = settings.images
    women = rng.random(n) >= settings.share_men
    code = rng.integers(len(NAMED_RACES), size=n)
    race = np.array([RACES["name"].tolist().index(name) for name in NAMED_RACES])[code]
    group = _choose(rng, AGES["share"], n)
    years = AGES["from"].to_numpy()[group] + rng.integers(0, 3, n)
    images = _draw_faces(
        rng, settings.look, women=women, race=race, years=years, size=settings.size, noise=settings.noise
    )
    # 17 digits, yyyymmddHHMMSSmmm; a time of its own makes a name unique.
    stamps = [f"20170116{index // 3600:02d}{index // 60 % 60:02d}{index % 60:02d}000" for index in range(n)]
    fields = [list(map(str, row)) for row in zip(years, women.astype(int), code, stamps, strict=True)]
    for row in fields[n - settings.malformed :]:
        del row[2]
    _write(folder, [f"UTKFace/{'_'.join(row)}.jpg.chip.jpg" for row in fields], images)


def _draw_faces(
    rng: np.random.Generator,
    look: LookSettings,
    *,
    women: np.ndarray,
    race: np.ndarray,
    years: np.ndarray,
    size: int,
    noise: float,
) -> np.ndarray:
    n = len(women)
    grey = np.clip((years - 30) / 40, 0, 1)
    people = draw_looks(
        rng,
        women,
        look,
        skin=RACES["skin"].to_numpy()[race],
        hair=RACES["hair"].to_numpy()[race],
        grey=grey,
    )
    pixels = draw_plain(size, n, rng)
    draw_people(
        pixels,
        people,
        where=np.ones(n, dtype=bool),
        x=rng.uniform(0.46, 0.54, n),
        y=rng.uniform(0.42, 0.5, n),
        # Children's heads are smaller.
        scale=rng.uniform(0.26, 0.34, n) * np.where(years < 10, 0.8, 1),
    )
    return develop(pixels, rng, noise=noise)


def _choose(rng: np.random.Generator, shares: pd.Series, n: int) -> np.ndarray:
    return rng.choice(len(shares), size=n, p=shares / shares.sum())


def _write(folder: Path, names: list[str], images: np.ndarray) -> None:
    for name, image in zip(names, images, strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(image))
