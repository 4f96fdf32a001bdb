"""Flickr30k with Karpathy's splits, five captions an image."""

from pathlib import Path

import pandas as pd

from clipfair.data.loading import columns, image_files, karpathy

FILE = "dataset_flickr30k.json"
FOLDER = "flickr30k-images"
SPLITS = ("train", "val", "test")


def load(folder: str | Path) -> pd.DataFrame:
    """Load the images of all splits, in the file's order.

    Returns
    -------
    ``key`` (1007129816), ``image``, ``split`` (train, val, test), ``captions`` (list of text).

    Raises
    ------
    UserError
        If the json is damaged or names a missing image.
    """
    frame = load_captions(folder)
    image = (f"{FOLDER}/" + frame["key"] + ".jpg").rename("filename")
    image_files.check_files(image, image_files.files_below(folder), path=Path(folder, FILE), place="image")
    frame.insert(1, "image", image)
    return frame


def load_captions(folder: str | Path) -> pd.DataFrame:
    """Load the json alone: the columns of :func:`load` without ``image``."""
    path = Path(folder, FILE)
    frame = karpathy.read(path, {"filename": str})
    columns.check_unique(frame["filename"], path=path, place="image", advice=karpathy.ADVICE)
    known = f"is unknown; known: {', '.join(SPLITS)}"
    columns.refuse(frame["split"], ~frame["split"].isin(SPLITS), known, path=path, place="image")
    return pd.DataFrame(
        {
            "key": frame["filename"].str.removesuffix(".jpg"),
            "split": columns.categorical(frame["split"], SPLITS),
            "captions": frame["captions"],
        }
    )
