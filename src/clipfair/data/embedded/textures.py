"""Textures for few-shot classification: DTD's folder and its ten splits, with eight of its classes."""

from pathlib import Path

import numpy as np

from clipfair.core.io import write_text
from clipfair.data.embedded.draw import COLOURS, develop, jpeg
from clipfair.data.embedded.image_settings import TextureSettings
from clipfair.data.embedded.scenery import TEXTURES, draw_textures

SPLITS = ("train", "val", "test")
PARTITIONS = 10


def generate_textures(folder: Path, settings: TextureSettings, rng: np.random.Generator) -> None:
    """Write ``dtd/images/<class>/`` and ``dtd/labels/{train,val,test}{1..10}.txt`` into ``folder``."""
    names = [
        f"{name}/{name}_{number:04d}.jpg" for name in TEXTURES for number in range(1, settings.per_class + 1)
    ]
    kinds = np.repeat(np.arange(len(TEXTURES)), settings.per_class)
    pairs = np.array([rng.choice(len(COLOURS), 2, replace=False) for _ in kinds])
    colours = np.array(list(COLOURS.values()))
    pixels = np.empty((len(kinds), settings.size, settings.size, 3), dtype=np.float32)
    draw_textures(pixels, kinds, colours[pairs[:, 0]], colours[pairs[:, 1]], rng)
    for name, image in zip(names, develop(pixels, rng, noise=settings.noise), strict=True):
        path = folder / "dtd/images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(image))
    by_class = np.array(names).reshape(len(TEXTURES), settings.per_class)
    for number in range(1, PARTITIONS + 1):
        thirds = np.split(rng.permuted(by_class, axis=1), len(SPLITS), axis=1)
        for split, third in zip(SPLITS, thirds, strict=True):
            write_text(
                folder / f"dtd/labels/{split}{number}.txt",
                "".join(f"{name}\n" for name in sorted(third.ravel())),
            )
    joint = "".join(f"{name} {name.split('/')[0]}\n" for name in names)
    write_text(folder / "dtd/labels/labels_joint_anno.txt", joint)
