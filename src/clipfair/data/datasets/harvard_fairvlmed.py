"""Harvard-FairVLMed: fundus images with clinical notes, glaucoma and four attributes."""

import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.core.errors import UserError, progress
from clipfair.data.images import check_npz_image
from clipfair.data.loading import checks, columns, image_files, text_files

SUMMARY = "data_summary.csv"
NOTES = "gpt-4_summarized_notes.csv"
# The value in data_summary.csv -> our split; our split -> its folder.
USES = {"training": "train", "validation": "val", "test": "test"}
FOLDERS = {"train": "Training", "val": "Validation", "test": "Test"}
NAME = re.compile(r"data_\d{5}\.npz")
# In the order of the codes in the npz files; -1 is unknown.
ATTRIBUTES = {
    "race": ("asian", "black", "white"),
    "gender": ("female", "male"),
    "ethnicity": ("non-hispanic", "hispanic"),
    "language": ("english", "spanish", "other"),
}
UNKNOWN = -1
UNNAMED = f"an npz that {SUMMARY} does not name"


def load(folder: str | Path) -> pd.DataFrame:
    """Load the examples of data_summary.csv, in its order.

    Attributes and label come from the npz files, as in the published code. The text columns of
    data_summary.csv differ from them in places (language).

    Returns
    -------
    ``key`` (data_00001), ``image`` (the npz), ``split`` (train, val, test); ``race``, ``gender``,
    ``ethnicity``, ``language`` categorical, missing where unknown; ``age`` (years), ``glaucoma`` (0 or 1);
    ``note``, the complete note; ``captions``, the one summary by GPT-4; ``used`` (bool), false for validation
    and test examples with an unknown attribute, which the papers leave out.

    Raises
    ------
    UserError
        At the first line or npz that is not as published.
    """
    folder = Path(folder)
    path = folder / SUMMARY
    summary = _select(
        text_files.read_delimited(path, columns=None, header=True), ("filename", "note", "use"), path
    )
    split = columns.categories(summary["use"], USES, path=path)
    bad = ~summary["filename"].str.fullmatch(NAME.pattern)
    columns.refuse(summary["filename"], bad, "is not data_<five digits>.npz", path=path)
    columns.check_unique(summary["filename"], path=path)
    image = (split.astype("str").map(FOLDERS) + "/" + summary["filename"]).rename("filename")
    files = image_files.files_below(folder, suffixes=(".npz",))
    image_files.check_files(image, files, path=path)
    captions = _summaries(folder / NOTES, summary["filename"], path)
    codes = [_read_codes(folder / name) for name in progress(image, unit="file", what="reading npz")]
    codes = pd.DataFrame(codes, index=summary.index)
    frame = pd.DataFrame(
        {
            "key": summary["filename"].str.removesuffix(".npz"),
            "image": image,
            "split": split,
            **{
                name: pd.Categorical.from_codes(codes[name].astype("int64"), values)
                for name, values in ATTRIBUTES.items()
            },
            "age": codes["age"],
            "glaucoma": codes["glaucoma"].astype("int64"),
            "note": summary["note"],
            "captions": [[caption] for caption in captions],
        }
    )
    complete = frame[list(ATTRIBUTES)].notna().all(axis=1)
    frame["used"] = (frame["split"] == "train") | complete
    frame = frame.reset_index(drop=True)
    checks.note_left_out(frame, UNNAMED, sorted(set(files) - set(image)))
    return frame


def _select(frame: pd.DataFrame, names: tuple[str, ...], path: Path) -> pd.DataFrame:
    """Select the required columns; copies of the file differ in the others."""
    missing = [name for name in names if name not in frame]
    if missing:
        raise UserError(f"{path}: no column {', '.join(map(repr, missing))}; {columns.ADVICE}")
    return frame[list(names)]


def _summaries(path: Path, names: pd.Series, summary_path: Path) -> pd.Series:
    """Return the summary of each name. The first column of the file is the name, the third the text."""
    notes = text_files.read_delimited(path, columns=None, header=True)
    if notes.shape[1] < 3:
        raise UserError(f"{path}: {notes.shape[1]} columns, expected at least 3; {columns.ADVICE}")
    columns.check_unique(notes.iloc[:, 0], path=path)
    columns.refuse(names, ~names.isin(notes.iloc[:, 0]), f"has no note in {path.name}", path=summary_path)
    return names.map(dict(zip(notes.iloc[:, 0], notes.iloc[:, 2], strict=True)))


def _read_codes(path: Path) -> dict[str, float]:
    """Return the attributes, age and label of one npz, checked; of its image, shape and type are checked."""
    known = {name: range(UNKNOWN, len(values)) for name, values in ATTRIBUTES.items()} | {
        "glaucoma": range(2)
    }
    try:
        # Arrays of objects are pickles, which could run code: they are refused.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            codes = {name: arrays[name].item() for name in known}
            age = float(arrays["age"].item())
            check_npz_image(arrays)
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).strip("'\"").split())
        if "unsafely" in reason:  # numpy's advice is to load the file without protection
            reason = "no npz, or contains pickled objects"
        raise UserError(f"{path}: not a readable npz of this dataset ({reason}); {columns.ADVICE}") from None
    for name, values in known.items():
        if codes[name] not in values:
            spelt = ", ".join(map(str, values))
            raise UserError(
                f"{path}: {name} is {codes[name]!r}, which is unknown; known: {spelt}; {columns.ADVICE}"
            )
    return codes | {"age": age}
