"""Adult (Census Income) in UCI's files ``adult.data`` and ``adult.test``, which have no header."""

from pathlib import Path

import pandas as pd

from clipfair.data.loading import columns, text_files

# UCI's names and order.
COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
)
NUMBERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
# From adult.names. "?" (not stated) occurs in three columns and is a category of its own.
CATEGORIES = {
    "workclass": (
        "Private Self-emp-not-inc Self-emp-inc Federal-gov Local-gov State-gov Without-pay Never-worked ?"
    ),
    "education": (
        "Bachelors Some-college 11th HS-grad Prof-school Assoc-acdm Assoc-voc 9th 7th-8th 12th Masters "
        "1st-4th 10th Doctorate 5th-6th Preschool"
    ),
    "marital-status": (
        "Married-civ-spouse Divorced Never-married Separated Widowed Married-spouse-absent Married-AF-spouse"
    ),
    "occupation": (
        "Tech-support Craft-repair Other-service Sales Exec-managerial Prof-specialty Handlers-cleaners "
        "Machine-op-inspct Adm-clerical Farming-fishing Transport-moving Priv-house-serv Protective-serv "
        "Armed-Forces ?"
    ),
    "relationship": "Wife Own-child Husband Not-in-family Other-relative Unmarried",
    "race": "Amer-Indian-Eskimo Asian-Pac-Islander Black Other White",
    "native-country": (
        "United-States Cambodia England Puerto-Rico Canada Germany Outlying-US(Guam-USVI-etc) India Japan "
        "Greece South China Cuba Iran Honduras Philippines Italy Poland Jamaica Vietnam Mexico Portugal "
        "Ireland France Dominican-Republic Laos Ecuador Taiwan Haiti Columbia Hungary Guatemala Nicaragua "
        "Scotland Thailand Yugoslavia El-Salvador Trinadad&Tobago Peru Hong Holand-Netherlands ?"
    ),
}
SEX = {"Female": "female", "Male": "male"}
SPLITS = {"train": "adult.data", "test": "adult.test"}


def load(folder: str | Path) -> pd.DataFrame:
    """Load both files, one row a person, in their order.

    Returns
    -------
    UCI's columns, with ``sex`` female or male, ``income`` 1 for more than 50K and 0 otherwise, and
    a last column ``split``: train (adult.data) or test (adult.test). Numbers are int64, all other
    columns are categorical.

    Raises
    ------
    UserError
        At the first cell that is not as published.
    """
    parts = [_load_file(Path(folder, file), split) for split, file in SPLITS.items()]
    return pd.concat(parts, ignore_index=True)


def _load_file(path: Path, split: str) -> pd.DataFrame:
    # The first line of adult.test is "|1x3 Cross validator".
    raw = text_files.read_delimited(path, columns=COLUMNS, header=False, comment="|")
    values = columns.numbers(raw, NUMBERS, path=path)
    for name, known in CATEGORIES.items():
        values[name] = columns.categories(raw[name], {value: value for value in known.split()}, path=path)
    values["sex"] = columns.categories(raw["sex"], SEX, path=path)
    values["income"] = _income(raw["income"], path)
    values["split"] = pd.Series(split, index=raw.index).astype(pd.CategoricalDtype(list(SPLITS)))
    return pd.DataFrame(values)[[*COLUMNS, "split"]]


def _income(column: pd.Series, path: Path) -> pd.Series:
    # The labels of adult.test end with a full stop.
    spellings = {"<=50K": "0", "<=50K.": "0", ">50K": "1", ">50K.": "1"}
    return columns.categories(column, spellings, path=path).astype("int64")
