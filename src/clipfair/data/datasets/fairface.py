"""FairFace: faces with perceived gender, race and age; captions and subset of the FairCLIP reproduction."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from clipfair.data.loading import columns, image_files, text_files

COLUMNS = ("file", "age", "gender", "race", "service_test")
SPLITS = {"train": "fairface_label_train.csv", "val": "fairface_label_val.csv"}
# In the order of the FairCLIP reproduction's codes.
ATTRIBUTES = {
    "gender": ("Female", "Male"),
    "race": (
        "East Asian",
        "Indian",
        "Black",
        "White",
        "Middle Eastern",
        "Southeast Asian",
        "Latino_Hispanic",
    ),
    "age": ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70"),
}
# The caption of the reproduction, including its missing space before "They".
CAPTION = "Image of a person that is {age} years old, and their race is: {race}They are {gender}"
# The reproduction uses this many images of each split, the first by number.
FAIRCLIP_IMAGES = 10_000


def load(folder: str | Path) -> pd.DataFrame:
    """Load the faces of both label files, in their order.

    Returns
    -------
    ``key`` (train/1), ``image``, ``split`` (train, val), ``gender``, ``race``, ``age``, categorical;
    ``service_test`` (bool); ``captions``, the one caption of the FairCLIP reproduction; ``fairclip``
    (bool), true for the reproduction's images.

    Raises
    ------
    UserError
        At the first cell that is not as published, or that names a missing image.
    """
    files = image_files.files_below(folder)
    return pd.concat([_load_split(Path(folder), split, files) for split in SPLITS], ignore_index=True)


def load_labels(folder: str | Path) -> pd.DataFrame:
    """Load the label files alone: the columns of :func:`load` without ``image``."""
    parts = [_load_split(Path(folder), split, None) for split in SPLITS]
    return pd.concat(parts, ignore_index=True).drop(columns="image")


def _load_split(folder: Path, split: str, files: Collection[str] | None) -> pd.DataFrame:
    path = folder / SPLITS[split]
    raw = text_files.read_delimited(path, columns=COLUMNS, header=True)
    columns.check_unique(raw["file"], path=path)
    number = raw["file"].str.extract(rf"^{split}/(\d+)\.jpg$")[0]
    columns.refuse(raw["file"], number.isna(), f"is not {split}/<number>.jpg", path=path)
    if files is not None:
        image_files.check_files(raw["file"], files, path=path)
    flags = columns.categories(raw["service_test"], {"True": "True", "False": "False"}, path=path)
    return pd.DataFrame(
        {
            "key": raw["file"].str.removesuffix(".jpg"),
            "image": raw["file"],
            "split": columns.constant(split, raw, list(SPLITS)),
            **{
                name: columns.categories(raw[name], {value: value for value in values}, path=path)
                for name, values in ATTRIBUTES.items()
            },
            "service_test": flags == "True",
            "captions": [
                [CAPTION.format(age=age, race=race, gender=gender)]
                for age, race, gender in zip(raw["age"], raw["race"], raw["gender"], strict=True)
            ],
            "fairclip": number.astype(int).rank() <= FAIRCLIP_IMAGES,
        }
    )
