"""MIAP: Open Images with boxes around people, their perceived gender and age."""

from pathlib import Path

import pandas as pd

from clipfair.data.loading import columns, image_files, text_files

SPLITS = ("train", "val", "test")
# The published name -> ours.
CORNERS = {"XMin": "x_min", "XMax": "x_max", "YMin": "y_min", "YMax": "y_max"}
FLAGS = {
    "IsOccluded": "is_occluded",
    "IsTruncated": "is_truncated",
    "IsGroupOf": "is_group_of",
    "IsDepictionOf": "is_depiction_of",
    "IsInsideOf": "is_inside_of",
}
COLUMNS = (
    *("ImageID", "LabelName", "Confidence", *CORNERS, *FLAGS),
    *("GenderPresentation", "AgePresentation"),
)
UNKNOWN = "Unknown"
GENDERS = ("Predominantly Feminine", "Predominantly Masculine", UNKNOWN)
AGES = ("Young", "Middle", "Older", UNKNOWN)


def load(folder: str | Path) -> pd.DataFrame:
    """Load the images with boxes, in the order of their first box.

    Returns
    -------
    ``key`` (Open Images' id), ``image``, ``split`` (train, val, test); ``gender`` and ``age``,
    categorical, the value of all people in the image, missing where they differ; ``used`` (bool), true
    if they have one known perceived gender (section 4.2 of CLIP the Bias uses only these); ``boxes``, for
    each person a mapping with the corners ``x_min``, ``x_max``, ``y_min``, ``y_max`` (fractions of the
    image's width and height), the published flags such as ``is_group_of`` (1, 0, or -1 for unknown),
    ``gender`` and ``age``.

    Raises
    ------
    UserError
        At the first cell that is not as published, or that names a missing image.
    """
    files = image_files.files_below(folder)
    return pd.concat([_load_split(Path(folder), split, files) for split in SPLITS], ignore_index=True)


def _load_split(folder: Path, split: str, files: list[str]) -> pd.DataFrame:
    path = folder / f"open_images_extended_miap_boxes_{split}.csv"
    raw = text_files.read_delimited(path, columns=COLUMNS, header=True)
    image_files.check_files(("images/" + raw["ImageID"] + ".jpg").rename("ImageID"), files, path=path)
    boxes = pd.DataFrame(
        {
            **columns.fractions(raw, CORNERS, path=path),
            **columns.numbers(raw, FLAGS, path=path),
            "gender": columns.categories(raw["GenderPresentation"], {g: g for g in GENDERS}, path=path),
            "age": columns.categories(raw["AgePresentation"], {a: a for a in AGES}, path=path),
        }
    ).rename(columns=CORNERS | FLAGS)
    grouped = boxes.groupby(raw["ImageID"], sort=False)
    images = pd.DataFrame({name: _shared(grouped[name]) for name in ("gender", "age")})
    records = pd.Series(boxes.to_dict("records"), index=boxes.index)
    return pd.DataFrame(
        {
            "key": images.index,
            "image": "images/" + images.index + ".jpg",
            "split": columns.constant(split, images, SPLITS),
            **images,
            "used": images["gender"].notna() & (images["gender"] != UNKNOWN),
            "boxes": records.groupby(raw["ImageID"], sort=False).agg(list),
        }
    )


def _shared(groups: pd.api.typing.SeriesGroupBy) -> pd.Series:
    """The value of each group, missing if it has several."""
    return groups.first().where(groups.nunique() == 1)
