"""COCO captions: Karpathy's test split of 5,000 images of 2014's validation set, all their captions."""

from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.data.loading import columns, image_files, karpathy

FILE = "dataset_coco.json"


def load(folder: str | Path) -> pd.DataFrame:
    """Load the images of the test split, in the file's order.

    Returns
    -------
    ``key`` (COCO's id), ``image``, ``split`` (test), ``captions`` (list of text).

    Raises
    ------
    UserError
        If the json is damaged or names a missing image.
    """
    path = Path(folder, FILE)
    frame = karpathy.read(path, {"filename": str, "filepath": str, "cocoid": int})
    frame = frame[frame["split"] == "test"]
    if frame.empty:
        raise UserError(f"{path}: no image of the split test; fetch the dataset again")
    columns.check_unique(frame["cocoid"], path=path, place="image", advice=karpathy.ADVICE)
    image = (frame["filepath"] + "/" + frame["filename"]).rename("filename")
    image_files.check_files(image, image_files.files_below(folder), path=path, place="image")
    return pd.DataFrame(
        {
            "key": frame["cocoid"].astype("str"),
            "image": image,
            "split": columns.constant("test", frame),
            "captions": frame["captions"],
        }
    ).reset_index(drop=True)
