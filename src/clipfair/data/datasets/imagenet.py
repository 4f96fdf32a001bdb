"""ImageNet-1k (ILSVRC 2012): the archives, read in place, or folders named by synset."""

import io
import re
import tarfile
from functools import partial
from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.data.loading import columns, image_files, matlab, splits
from clipfair.data.tar import list_members

DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
META = "ILSVRC2012_devkit_t12/data/meta.mat"
GROUND_TRUTH = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
ARCHIVES = {"train": "ILSVRC2012_img_train.tar", "val": "ILSVRC2012_img_val.tar"}
VAL_NAME = re.compile(r"(?:.*/)?ILSVRC2012_val_(\d{8})\.JPEG")
# Few-shot support is drawn from this many training images (in big_vision, the first in TFDS's order).
SUPPORT, TRAIN = 65_000, 1_281_167


def load(folder: str | Path) -> pd.DataFrame:
    """Load the images of train and val, or of the one that is there.

    Returns
    -------
    ``key`` (train/<name>, val/<name>), ``image``, ``split`` (train, val); ``label``, the synset
    (n01440764), categorical in alphabetical order; ``class_name``, the first of its names (some synsets share
    one); ``few_shot`` (bool), true for the training images that few-shot support is drawn from: 65,000 of
    the complete dataset by a hash of the key, since the order of public evaluation code is internal to TFDS.
    From archives also ``offset`` and ``size`` in bytes.

    Raises
    ------
    UserError
        If an archive is damaged, an image is not in the development kit, or neither split is there.
    """
    folder = Path(folder)
    names, truth = _read_devkit(folder / DEVKIT)
    frame = _read_images(folder, truth)
    unknown = ~frame["label"].isin(names.index)
    if unknown.any():
        first = frame.loc[unknown.idxmax()]
        raise UserError(
            f"{folder}: {first['key']!r} is of synset {first['label']!r}, which {DEVKIT} does not know; "
            "remove it"
        )
    is_train = frame["split"] == "train"
    support = round(is_train.sum() * SUPPORT / TRAIN)
    frame["few_shot"] = False
    frame.loc[is_train, "few_shot"] = splits.hash_rank(frame.loc[is_train, "key"]) < support
    frame["split"] = columns.categorical(frame["split"], ARCHIVES)
    frame["class_name"] = frame["label"].map(names).astype("str")
    frame["label"] = columns.categorical(frame["label"], sorted(names.index))
    return frame


def _read_images(folder: Path, truth: list[str]) -> pd.DataFrame:
    parts = [_split_folder(folder, split) for split in ARCHIVES if (folder / split).is_dir()]
    if not parts:
        readers = {"train": _train_archive, "val": partial(_val_archive, truth=truth)}
        parts = [read(folder) for split, read in readers.items() if (folder / ARCHIVES[split]).exists()]
    if not parts:
        raise UserError(
            f"{folder}: neither {' nor '.join(ARCHIVES.values())} is there; fetch the dataset again"
        )
    return pd.concat(parts, ignore_index=True)


def _read_devkit(path: Path) -> tuple[pd.Series, list[str]]:
    """Return the first name of each synset, and the synset of each validation image in order."""
    try:
        with tarfile.open(path, "r:gz") as kit:
            meta, truth = (kit.extractfile(name).read() for name in (META, GROUND_TRUTH))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; fetch the dataset again") from None
    except (tarfile.TarError, EOFError, OSError, KeyError) as error:
        raise UserError(f"{path}: not the published development kit ({error}); fetch it again") from None
    synsets = matlab.read_structs(
        io.BytesIO(meta),
        "synsets",
        ["ILSVRC2012_ID", "WNID", "words", "num_children"],
        path=f"{path}: {META}",
    )
    synsets = synsets[synsets["num_children"] == 0]  # the others are the classes' hypernyms
    of_id = dict(zip(synsets["ILSVRC2012_ID"].astype(str), synsets["WNID"], strict=True))
    lines = truth.decode("ascii", errors="replace").split()
    for number, line in enumerate(lines, start=1):
        if line not in of_id:
            raise UserError(f"{path}: {GROUND_TRUTH}: line {number}: {line!r} is no class; fetch it again")
    names = synsets["words"].str.split(",").str[0].str.strip()
    return pd.Series(names.to_numpy(), index=synsets["WNID"]), [of_id[line] for line in lines]


def _val_archive(folder: Path, *, truth: list[str]) -> pd.DataFrame:
    rows = []
    for member in list_members(folder / ARCHIVES["val"]):
        match = VAL_NAME.fullmatch(member.name)
        if not match or not 1 <= int(match[1]) <= len(truth):
            raise UserError(
                f"{folder / ARCHIVES['val']}: {member.name!r} is not one of the {len(truth):,} validation "
                f"images of {DEVKIT}; fetch it again"
            )
        rows.append((f"val/{Path(member.name).stem}", member.offset, member.size, truth[int(match[1]) - 1]))
    return _frame("val", rows)


def _train_archive(folder: Path) -> pd.DataFrame:
    """Read a tar of tars, one a synset."""
    rows = []
    for member in list_members(folder / ARCHIVES["train"], nested=True):
        synset, _, name = member.name.rpartition("/")
        rows.append((f"train/{Path(name).stem}", member.offset, member.size, Path(synset).stem))
    return _frame("train", rows)


def _frame(split: str, rows: list[tuple[str, int, int, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["key", "offset", "size", "label"])
    frame.insert(1, "image", ARCHIVES[split])
    return frame.assign(split=split)


def _split_folder(folder: Path, split: str) -> pd.DataFrame:
    frame = image_files.read_class_folders(folder, split).rename(columns={"class": "label"})
    return frame.assign(key=f"{split}/" + frame["key"], split=split)
