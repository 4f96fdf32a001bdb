"""Default of Credit Card Clients (Taiwan, 2005): UCI's .xls, or the csv distributed elsewhere."""

from pathlib import Path

import pandas as pd

from clipfair.core.errors import UserError
from clipfair.data.loading import columns, text_files

XLS = "default of credit card clients.xls"
CSV = "UCI_Credit_Card.csv"

# Column names of both files; the label's name differs.
NUMBERS = (
    "LIMIT_BAL",
    "AGE",
    *(f"PAY_{month}" for month in (0, 2, 3, 4, 5, 6)),
    *(f"BILL_AMT{month}" for month in range(1, 7)),
    *(f"PAY_AMT{month}" for month in range(1, 7)),
)
# UCI documents education 1 to 4 and marriage 1 to 3. The data contain other codes (14, 280 and 51 rows with
# education 0, 5 and 6; 54 with marriage 0), which are categories of their own here.
CATEGORIES = {
    "SEX": {"2": "female", "1": "male"},
    "EDUCATION": {
        "1": "graduate-school",
        "2": "university",
        "3": "high-school",
        "4": "others",
        "0": "undocumented-0",
        "5": "undocumented-5",
        "6": "undocumented-6",
    },
    "MARRIAGE": {"1": "married", "2": "single", "3": "others", "0": "undocumented-0"},
}
LABELS = {XLS: "default payment next month", CSV: "default.payment.next.month"}


def load(folder: str | Path) -> pd.DataFrame:
    """Load the clients, one a row, from whichever of the two files is in ``folder``.

    Returns
    -------
    UCI's columns in lower case without the client's number: ``sex`` (female, male), ``education``
    and ``marriage`` categorical; amounts (NT dollar), ``age`` (years) and the repayment states
    ``pay_0``, ``pay_2``..``pay_6`` (months of delay; 0 and below: none) int64; ``default`` 1 or 0, the
    last column. Both files give the same frame.

    Raises
    ------
    UserError
        At the first cell that is not as published, or if neither file is there.
    """
    path = next((Path(folder, name) for name in LABELS if Path(folder, name).exists()), None)
    if path is None:
        raise UserError(f"{folder}: neither {XLS!r} nor {CSV!r} is there; fetch the dataset again")
    label = LABELS[path.name]
    names = ("ID", "LIMIT_BAL", "SEX", "EDUCATION", "MARRIAGE", *NUMBERS[1:], label)
    raw = _read(path, names)
    columns.check_unique(raw["ID"], path=path)
    values = columns.numbers(raw, NUMBERS, path=path)
    for name, known in CATEGORIES.items():
        values[name] = columns.categories(raw[name], known, path=path)
    values[label] = columns.categories(raw[label], {"0": "0", "1": "1"}, path=path).astype("int64")
    frame = pd.DataFrame(values)[list(names[1:])].rename(columns={label: "default"})
    return frame.rename(columns=str.lower).reset_index(drop=True)


def _read(path: Path, names: tuple[str, ...]) -> pd.DataFrame:
    if path.name == XLS:
        # The row above the header contains X1 to X23 and Y.
        return text_files.read_xls(path, columns=names, title_rows=1)
    return text_files.read_delimited(path, columns=names, header=True)
