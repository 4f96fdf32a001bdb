"""Miniature tables of people for Table 5: random rows in the files that were published."""

from pathlib import Path

import numpy as np
import pandas as pd

from clipfair.core.io import write_csv
from clipfair.data.datasets import credit_default
from tests.rehearsal import files
from tests.repository import write_adult

ROWS = 600


def write_adult_archive(folder: Path) -> int:
    """Write adult.zip."""
    write_adult(folder, rows=ROWS)
    content = {}
    for name in ("adult.data", "adult.test"):
        content[name] = (folder / name).read_bytes()
        (folder / name).unlink()
    files.write_files(folder, {"adult.zip": files.zipped(content)})
    return 2 * ROWS


def write_credit_default(folder: Path) -> int:
    """Write UCI_Credit_Card.csv, with more defaults of men."""
    rng = np.random.default_rng(0)
    values = {"ID": np.arange(1, ROWS + 1)}
    values |= {name: rng.integers(0, 500, ROWS) for name in credit_default.NUMBERS}
    values |= {name: rng.choice(list(codes), ROWS) for name, codes in credit_default.CATEGORIES.items()}
    rate = np.where(values["SEX"] == "1", 0.4, 0.2)
    values[credit_default.LABELS[credit_default.CSV]] = (rng.random(ROWS) < rate).astype(int)
    write_csv(folder / credit_default.CSV, pd.DataFrame(values))
    return ROWS
