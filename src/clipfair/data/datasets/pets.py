"""Oxford-IIIT Pets: 37 breeds of cats and dogs, with the official split."""

from pathlib import Path

import pandas as pd

from clipfair.data.loading import columns, image_files, text_files

LISTS = {"train": "annotations/trainval.txt", "test": "annotations/test.txt"}
COLUMNS = ("name", "class", "species", "breed")


def load(folder: str | Path) -> pd.DataFrame:
    """Load the images of both lists, in their order.

    Returns
    -------
    ``key`` (Abyssinian_100), ``image``, ``split`` (train, which is the published trainval; test),
    ``label``, the breed as in the images' names, categorical in the order of its codes.

    Raises
    ------
    UserError
        At the first line that is not as published, or that names a missing image.
    """
    files = image_files.files_below(folder)
    frame = pd.concat([_load_list(Path(folder), split, files) for split in LISTS], ignore_index=True)
    order = frame.drop_duplicates("class").sort_values("class")["label"]
    frame["label"] = columns.categorical(frame["label"], dict.fromkeys(order))
    return frame.drop(columns="class")


def _load_list(folder: Path, split: str, files: list[str]) -> pd.DataFrame:
    path = folder / LISTS[split]
    raw = text_files.read_delimited(path, columns=COLUMNS, header=False, delimiter=" ", comment="#")
    columns.check_unique(raw["name"], path=path)
    breed = raw["name"].str.extract(r"^(.+)_\d+$")[0]
    columns.refuse(raw["name"], breed.isna(), "is not <breed>_<number>", path=path)
    image = ("images/" + raw["name"] + ".jpg").rename("name")
    image_files.check_files(image, files, path=path)
    codes = columns.numbers(raw, ["class"], path=path)["class"]
    first = breed.groupby(codes).transform("first")
    columns.refuse(raw["class"], first != breed, "is the class of another breed above", path=path)
    return pd.DataFrame(
        {
            "key": raw["name"],
            "image": image,
            "split": columns.constant(split, raw, list(LISTS)),
            "label": breed,
            "class": codes,
        }
    )
