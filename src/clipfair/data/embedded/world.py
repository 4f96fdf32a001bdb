"""The parts of the synthetic world, each one dataset, and the model of each part's settings.

``docs/synthetic-data.md`` describes the biases that are planted; :mod:`clipfair.data.embedded.planted`
computes the associations that a correct pipeline must find in the pretraining pairs.
"""

from collections.abc import Mapping

from clipfair.core.settings import SettingsModel, parse_settings_of
from clipfair.data.embedded.fundus_settings import FundusSettings
from clipfair.data.embedded.image_settings import (
    CaptionSettings,
    FaceSettings,
    NamedFaceSettings,
    ObjectSettings,
    SceneSettings,
    TextureSettings,
)
from clipfair.data.embedded.web_settings import WebSettings

PART_SETTINGS: dict[str, type[SettingsModel]] = {
    "web": WebSettings,
    "faces": FaceSettings,
    "named-faces": NamedFaceSettings,
    "scenes": SceneSettings,
    "objects": ObjectSettings,
    "textures": TextureSettings,
    "captions": CaptionSettings,
    "fundus": FundusSettings,
}


def make_settings(part: str, values: Mapping) -> SettingsModel:
    """The settings of a part from plain values; missing ones get their defaults.

    Raises
    ------
    UserError
        If the part or a setting is unknown, or a value of the wrong type or out of range.
    """
    return parse_settings_of(PART_SETTINGS, part, values, what="part of the synthetic world")
