"""Caltech-UCSD Birds 200 of 2011, with the official split."""

from pathlib import Path

import pandas as pd

from clipfair.data.loading import columns, image_files, text_files

ROOT = "CUB_200_2011"


def load(folder: str | Path) -> pd.DataFrame:
    """Load the images of images.txt, in its order.

    Returns
    -------
    ``key`` (001.Black_footed_Albatross/Black_Footed_Albatross_0046_18), ``image``, ``split`` (train, test),
    ``label``, the species as in its folder's name, categorical in the order of its codes.

    Raises
    ------
    UserError
        At the first line that is not as published, or that names a missing image; if the three
        lists are not of the same images.
    """
    root = Path(folder, ROOT)
    images = _read_list(root / "images.txt", "image")
    codes = _read_list(root / "image_class_labels.txt", "class", images)
    is_train = _read_list(root / "train_test_split.txt", "is_train", images)
    path = root / "images.txt"
    image_files.check_files(images["image"], image_files.files_below(root / "images"), path=path)
    # 001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg
    parts = images["image"].str.extract(r"^(\d+)\.([^/]+)/[^/]+\.jpg$")
    columns.refuse(images["image"], parts[0].isna(), "is not <code>.<species>/<name>.jpg", path=path)
    of_folder = parts[0].astype(int).astype(str)
    wrong = codes["class"] != of_folder
    columns.refuse(codes["class"], wrong, "is not its folder's class", path=root / "image_class_labels.txt")
    species = parts[1].groupby(of_folder.astype(int)).first()
    split = columns.categories(
        is_train["is_train"], {"1": "train", "0": "test"}, path=root / "train_test_split.txt"
    )
    return pd.DataFrame(
        {
            "key": images["image"].str.removesuffix(".jpg"),
            "image": f"{ROOT}/images/" + images["image"],
            "split": split,
            "label": columns.categorical(parts[1], species),
        }
    ).reset_index(drop=True)


def _read_list(path: Path, column: str, images: pd.DataFrame | None = None) -> pd.DataFrame:
    """Read a list of numbers and values; with ``images``, check that the numbers are the same in order."""
    raw = text_files.read_delimited(path, columns=("id", column), header=False, delimiter=" ")
    columns.check_unique(raw["id"], path=path)
    if images is not None:
        others = images["id"].reindex(raw.index)
        columns.refuse(
            raw["id"], raw["id"] != others, "is not the image in this line of images.txt", path=path
        )
        columns.refuse(
            images["id"],
            ~images["id"].isin(raw["id"]),
            f"is not in {path.name}",
            path=path.with_name("images.txt"),
        )
    return raw
