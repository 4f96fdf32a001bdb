"""UTKFace, aligned and cropped: faces with their labels in the file names."""

from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.data.loading import checks, columns, image_files

# <age>_<gender>_<race>_<date and time>.jpg.chip.jpg
NAME = r"^(?:.*/)?(\d+)_([01])_([0-4])_(\d+)\.jpg\.chip\.jpg$"
# In the order of their codes.
GENDERS = ("male", "female")
RACES = ("White", "Black", "Asian", "Indian", "Others")
MALFORMED = "a name that is not <age>_<gender>_<race>_<date>.jpg.chip.jpg"


def load(folder: str | Path) -> pd.DataFrame:
    """Load every image with its labels in its name, sorted by name.

    Names without one of the fields, a few in the original, are left out and listed in ``attrs["left_out"]``.

    Returns
    -------
    ``key``, ``image``, ``split`` (all: none is published), ``age`` (years, int64), ``gender`` and
    ``race`` categorical.

    Raises
    ------
    UserError
        If there is no image with labels in its name.
    """
    names = pd.Series(image_files.files_below(folder))
    fields = names.astype("str").str.extract(NAME)
    good = fields[0].notna()
    if not good.any():
        raise UserError(
            f"{folder}: no image is named <age>_<gender>_<race>_<date>.jpg.chip.jpg; fetch it again"
        )
    names, bad, fields = names[good], names[~good].tolist(), fields[good]
    frame = pd.DataFrame(
        {
            "key": names.str.rsplit("/", n=1).str[-1].str.removesuffix(".jpg.chip.jpg"),
            "image": names,
            "split": columns.constant("all", fields),
            "age": fields[0].astype("int64"),
            "gender": pd.Categorical.from_codes(fields[1].astype(int), GENDERS),
            "race": pd.Categorical.from_codes(fields[2].astype(int), RACES),
        }
    ).reset_index(drop=True)
    checks.note_left_out(frame, MALFORMED, bad)
    return frame
