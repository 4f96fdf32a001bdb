"""Settings of the evaluation images: faces, scenes, objects, textures and captioned images."""

from typing import Annotated, Literal

from pydantic import Field

from clipfair.core.settings import SettingsModel
from clipfair.data.embedded.common_settings import Count, LookSettings, MentionSettings, Share


class ImageSettings(SettingsModel):
    """Settings of all images."""

    size: Count = 32
    """Pixels to a side."""
    noise: Share = 0.03
    """Standard deviation of the noise of a pixel in [0, 1]."""


class PeopleSettings(ImageSettings):
    """Settings of all images of people."""

    share_men: Share = 0.5
    """Share of men among people; the others are women."""
    look: LookSettings = LookSettings()


class FaceSettings(PeopleSettings):
    """Faces with age, gender and race, split into train and val; occupations are not visible."""

    train: Count = 1_200
    val: Count = 600
    share_men: Share = 0.53


class NamedFaceSettings(PeopleSettings):
    """Faces whose file names are their labels."""

    images: Count = 400
    malformed: int = Field(2, ge=0)
    """Number of images, the last ones, whose names lack a field."""
    share_men: Share = 0.52


class SceneSettings(PeopleSettings):
    """Images of one or two people with boxes; occupations are not visible."""

    train: Count = 200
    val: Count = 100
    test: Count = 400
    share_unknown: Share = 0.1
    """Share of people who are seen from behind."""
    second_person: Share = 0.3
    """Share of images with two people."""


class ObjectSettings(ImageSettings):
    """Images of one object each, without people."""

    size: Literal[32] = 32
    """Files of CIFAR-100's format hold 32 x 32 pixels."""
    train_per_class: Count = 40
    test_per_class: Count = 25


class TextureSettings(ImageSettings):
    """Images of one texture each, in ten splits of each class into thirds: train, val and test."""

    per_class: Annotated[int, Field(ge=3, multiple_of=3)] = 60


class CaptionSettings(PeopleSettings):
    """Images with several captions each; every caption draws its own mentions."""

    val: Count = 100
    test: Count = 400
    per_image: Count = 5
    """Captions of an image."""
    share_people: Share = 0.6
    """Share of images with a person."""
    with_occupation: Share = 0.6
    """Share of people with an occupation."""
    mentions: MentionSettings = MentionSettings(
        gender=0.7, occupation=0.9, proxy=0.8, object=0.95, background=0.8, colours=0.8
    )
