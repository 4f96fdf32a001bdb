"""Flickr30k's captions without the images: real text for annotation and data balancing."""

from pathlib import Path

import pandas as pd

from clipfair.data.datasets import flickr30k
from clipfair.data.loading import columns, text_files

TSV = "flickr30k_captions.tsv"
COLUMNS = ("image", "split", "k", "caption")
# Collections of translated captions call Karpathy's test split test_2016.
SPLITS = {"train": "train", "val": "val", "test": "test", "test_2016": "test"}


def load(folder: str | Path) -> pd.DataFrame:
    """Load the captions of each image, from Karpathy's json or from a table with one caption a line.

    Returns
    -------
    ``key`` (the image's name without .jpg), ``split`` (train, val, test), ``captions`` (list of text);
    in the file's order.

    Raises
    ------
    UserError
        At the first line that is not as expected.
    """
    path = Path(folder, TSV)
    return _read_tsv(path) if path.exists() else flickr30k.load_captions(folder)


def _read_tsv(path: Path) -> pd.DataFrame:
    raw = text_files.read_delimited(path, columns=COLUMNS, header=True, delimiter="\t")
    split = columns.categories(raw["split"], SPLITS, path=path)
    columns.refuse(
        raw["k"], raw.duplicated(["image", "k"]), "is there a second time for its image", path=path
    )
    columns.refuse(raw["caption"], raw["caption"] == "", "is empty", path=path)
    groups = pd.DataFrame({"split": split, "captions": raw["caption"]}).groupby(raw["image"], sort=False)
    moved = split != groups["split"].transform("first")
    columns.refuse(raw["split"], moved, "differs from the image's split in a line above", path=path)
    frame = groups.agg({"split": "first", "captions": list})
    frame.insert(0, "key", frame.index.str.removesuffix(".jpg"))
    return frame.reset_index(drop=True)
