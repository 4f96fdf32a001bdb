"""Compare the verdicts of the findings of two runs, one row for each claim.

    PYTHONPATH=src python benchmarks/verify/verdicts.py PORTABLE NATIVE > benchmarks/verify/verdicts.csv

PORTABLE and NATIVE are folders of a study's tables, such as ``results/tables/embedded``.
"""

import sys
from pathlib import Path

import pandas as pd

FINDINGS = ("m4/findings.csv", "fairclip/findings.csv")
SHOWN = ["mean", "low", "high", "verdict"]


def compare(portable: Path, native: Path) -> pd.DataFrame:
    """One row per claim: its key, the numbers and verdicts of both runs, and whether the verdicts are equal.

    Two undecided verdicts are equal, whatever number of units they would need.
    """
    parts = []
    for name in FINDINGS:
        first, second = (pd.read_csv(folder / name) for folder in (portable, native))
        key = [column for column in ("finding", "claim", "methods", "statistic") if column in first]
        both = first[[*key, *SHOWN]].merge(
            second[[*key, *SHOWN]], on=key, how="outer", suffixes=("_portable", "_native"), validate="1:1"
        )
        parts.append(both.assign(table=name.removesuffix(".csv")))
    table = pd.concat(parts, ignore_index=True)
    words = [table[f"verdict_{run}"].str.partition(" (")[0] for run in ("portable", "native")]
    table["same"] = words[0] == words[1]
    return table.assign(data="synthetic")[["data", "table", *table.columns.drop("table")]]


if __name__ == "__main__":
    compare(*map(Path, sys.argv[1:3])).to_csv(sys.stdout, index=False, float_format="%.4g")
