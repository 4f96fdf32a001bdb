"""Stanford Cars: 196 makes, models and years, with the official split."""

from pathlib import Path

import pandas as pd

from clipfair.data.loading import columns, image_files, matlab

ANNOTATIONS = {"train": "devkit/cars_train_annos.mat", "test": "cars_test_annos_withlabels.mat"}
META = "devkit/cars_meta.mat"


def load(folder: str | Path) -> pd.DataFrame:
    """Load the images of both annotation files, in their order.

    Returns
    -------
    ``key`` (train/00001), ``image``, ``split`` (train, test), ``label``, the class's full name,
    categorical in the order of its codes.

    Raises
    ------
    UserError
        If a file is not a readable MATLAB file, or names a missing image or an unknown class.
    """
    folder = Path(folder)
    names = matlab.read_array(folder / META, "class_names", path=folder / META).tolist()
    files = image_files.files_below(folder)
    return pd.concat([_load_split(folder, split, names, files) for split in ANNOTATIONS], ignore_index=True)


def _load_split(folder: Path, split: str, names: list[str], files: list[str]) -> pd.DataFrame:
    path = folder / ANNOTATIONS[split]
    raw = matlab.read_structs(path, "annotations", ["fname", "class"], path=path)
    image = (f"cars_{split}/" + raw["fname"]).rename("fname")
    image_files.check_files(image, files, path=path, place="annotation")
    columns.refuse(image, image.duplicated(), "is there a second time", path=path, place="annotation")
    known = f"is no class; known: 1 to {len(names)}"
    codes = raw["class"].astype("int64")
    unknown = ~codes.between(1, len(names))
    columns.refuse(raw["class"].map(str), unknown, known, path=path, place="annotation")
    return pd.DataFrame(
        {
            "key": f"{split}/" + raw["fname"].str.removesuffix(".jpg"),
            "image": image,
            "split": columns.constant(split, raw, list(ANNOTATIONS)),
            "label": pd.Categorical.from_codes(codes - 1, names),
        }
    )
