"""Colorectal cancer histology (Kather et al. 2016): eight kinds of tissue, a folder each."""

from pathlib import Path

import pandas as pd

from clipfair.data.loading import columns, image_files, splits

ROOT = "Kather_texture_2016_image_tiles_5000"
# As in public evaluation code, few-shot support is drawn from 2,000 of the 5,000 images.
TRAIN, ALL = 2000, 5000


def load(folder: str | Path) -> pd.DataFrame:
    """Load the tiles, sorted by class and name.

    Returns
    -------
    ``key`` (01_TUMOR/<name>), ``image``, ``label`` (tumor, stroma, ...), categorical in the order of the
    folders' numbers, ``split``: train, 2 in 5 by a hash of the key, and test (no split is published).

    Raises
    ------
    UserError
        If there are no images in the classes' folders.
    """
    frame = image_files.read_class_folders(folder, ROOT)
    keys = frame["class"] + "/" + frame["key"]
    # 01_TUMOR
    names = frame["class"].str.split("_", n=1).str[-1].str.lower()
    return pd.DataFrame(
        {
            "key": keys,
            "image": frame["image"],
            "label": columns.categorical(names, dict.fromkeys(names)),
            "split": splits.hash_split(keys, train=TRAIN, of=ALL),
        }
    )
