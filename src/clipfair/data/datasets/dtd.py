"""Describable Textures Dataset: 47 textures, with the first of its ten official splits."""

from pathlib import Path

import pandas as pd

from clipfair.data.loading import columns, image_files, text_files

ROOT = "dtd"
LISTS = {"train": "labels/train1.txt", "val": "labels/val1.txt", "test": "labels/test1.txt"}


def load(folder: str | Path) -> pd.DataFrame:
    """Load the images of the first split's three lists, in their order.

    Returns
    -------
    ``key`` (banded/banded_0002), ``image``, ``split`` (train, val, test), ``label``, the texture,
    categorical in alphabetical order.

    Raises
    ------
    UserError
        At the first line that names a missing image.
    """
    root = Path(folder, ROOT)
    files = image_files.files_below(root / "images")
    frame = pd.concat([_load_list(root, split, files) for split in LISTS], ignore_index=True)
    return frame.assign(label=columns.categorical(frame["label"]))


def _load_list(root: Path, split: str, files: list[str]) -> pd.DataFrame:
    path = root / LISTS[split]
    raw = text_files.read_delimited(path, columns=("image",), header=False)
    columns.check_unique(raw["image"], path=path)
    image_files.check_files(raw["image"], files, path=path)
    return pd.DataFrame(
        {
            "key": raw["image"].str.removesuffix(".jpg"),
            "image": f"{ROOT}/images/" + raw["image"],
            "split": columns.constant(split, raw, list(LISTS)),
            "label": raw["image"].str.split("/").str[0],
        }
    )
