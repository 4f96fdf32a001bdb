"""Generation of the synthetic world: from a part, its settings and a seed to a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from clipfair.core.errors import UserError, unknown
from clipfair.core.io import atomic_folder
from clipfair.core.settings import SettingsModel
from clipfair.data.embedded.captions import generate_captions
from clipfair.data.embedded.faces import generate_faces, generate_named_faces
from clipfair.data.embedded.fundus import generate_fundus
from clipfair.data.embedded.objects import generate_objects
from clipfair.data.embedded.scenes import generate_scenes
from clipfair.data.embedded.textures import generate_textures
from clipfair.data.embedded.web import generate_web
from clipfair.data.embedded.world import PART_SETTINGS

GENERATORS: dict[str, Callable[[Path, Any, np.random.Generator], None]] = {
    "web": generate_web,
    "faces": generate_faces,
    "named-faces": generate_named_faces,
    "scenes": generate_scenes,
    "objects": generate_objects,
    "textures": generate_textures,
    "captions": generate_captions,
    "fundus": generate_fundus,
}


def generate_world(part: str, settings: SettingsModel, seed: int, out_dir: str | Path) -> None:
    """Write one part of the synthetic world, in the file format of the dataset that it imitates.

    The same part, settings and seed give the same bytes on the same machine.

    Parameters
    ----------
    part
        One of ``world.PART_SETTINGS``.
    settings
        Of that part, as :func:`clipfair.data.embedded.world.make_settings` makes them.
    seed
        Not negative. Each part draws from a generator of its own.
    out_dir
        Appears only once it is complete; an older folder is replaced.

    Raises
    ------
    UserError
        If the part is unknown, the settings are those of another part, or the seed is negative.
    """
    if part not in GENERATORS:
        raise UserError(unknown("part of the synthetic world", part, GENERATORS))
    if type(settings) is not PART_SETTINGS[part]:
        raise UserError(f"{part}: expected {PART_SETTINGS[part].__name__}, got {type(settings).__name__}")
    if seed < 0:
        raise UserError(f"{part}: the seed is {seed}; expected 0 or more")
    with atomic_folder(out_dir) as folder:
        GENERATORS[part](folder, settings, np.random.default_rng([seed, *part.encode()]))
