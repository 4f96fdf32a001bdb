"""Caltech-101: 101 classes of objects and a background."""

import tarfile
import zlib
from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError, progress
from clipfair.data.loading import columns, image_files, splits

ARCHIVE = "caltech-101/101_ObjectCategories.tar.gz"
ROOT = "101_ObjectCategories"
TRAIN_PER_CLASS = 30


def load(folder: str | Path) -> pd.DataFrame:
    """Load the images, sorted by class and name, from the archive within the archive or from its folder.

    Returns
    -------
    ``key`` (accordion/image_0001), ``image_bytes`` (from the archive, which is compressed and cannot be
    read in place) or ``image``; ``label``, the folder's name, categorical in alphabetical order;
    ``split``: train, the first 30 of each class by a hash of the key, and test. No split is published; public
    evaluation code uses these sizes.

    Raises
    ------
    UserError
        If the archive is damaged, or there are no images in the classes' folders.
    """
    if Path(folder, ROOT).is_dir():
        frame = image_files.read_class_folders(folder, ROOT)
    else:
        frame = _read_archive(Path(folder, ARCHIVE))
    frame["key"] = frame["class"] + "/" + frame["key"]
    rank = pd.Series(splits.hash_rank(frame["key"])).groupby(frame["class"]).rank()
    frame["split"] = columns.categorical(
        rank.le(TRAIN_PER_CLASS).map({True: "train", False: "test"}), ("train", "test")
    )
    frame["label"] = columns.categorical(frame.pop("class"))
    return frame


def _read_archive(path: Path) -> pd.DataFrame:
    rows = []
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in progress(archive, unit="file", what=f"reading {path.name}"):
                *_, folder, name = ("", *Path(member.name).parts[-2:])
                # Archives made on macOS contain a hidden companion of each file.
                if member.isreg() and name.endswith(".jpg") and not name.startswith("."):
                    rows.append((Path(name).stem, archive.extractfile(member).read(), folder))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; fetch the dataset again") from None
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise UserError(f"{path}: damaged archive ({error}); fetch the dataset again") from None
    if not rows:
        raise UserError(f"{path}: no images in folders named by class; fetch the dataset again")
    frame = pd.DataFrame(rows, columns=["key", "image_bytes", "class"])
    return frame.sort_values(["class", "key"], ignore_index=True)
