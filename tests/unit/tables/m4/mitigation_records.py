"""Records of mitigations and a published table, written to files."""

from pathlib import Path

import numpy as np

from clipfair.core.io import write_json

SETTINGS = {
    "table": "m4/table5",
    "published": "table5",
    "tasks": {
        "adult": {"dataset": "adult", "sensitive": "sex", "published": "adult"},
        "credit": {"dataset": "credit-default", "sensitive": "sex", "published": "credit-default"},
        "adult-race": {"dataset": "adult", "sensitive": "race", "published": None},
    },
    "rows": {"baseline": "Baseline", "m4-0.9": None},
    "variants": {},
    "seeds": [0, 1, 2],
    "incomparable": "",
}
PUBLISHED = """\
paper,table,row,dataset,metric,mean,std,unit,source
m4,table5,Baseline,adult,DP,18.6,0.2,%,Table 5
m4,table5,Baseline,adult,Error,14.5,0.1,%,Table 5
m4,table5,Baseline,adult,Balanced Error,12.7,0.1,%,Table 5
m4,table5,Baseline,credit-default,DP,2.1,0.3,%,Table 5
"""
METRICS = ("demographic_parity_difference", "error", "balanced_error")


def write_repeats(folder: Path, task: str, row: str, values: np.ndarray) -> str:
    """Write the record of one method: (repeats, 3) values of DP, error and balanced error."""
    repeats = [
        {"seed": seed, **dict(zip(METRICS, found, strict=True))} for seed, found in enumerate(values.tolist())
    ]
    path = folder / task / row / "metrics.json"
    place = SETTINGS["tasks"][task]
    write_json(
        path,
        {"dataset": place["dataset"], "sensitive": place["sensitive"], "method": row, "repeats": repeats},
    )
    return str(path)


def write_records(folder: Path) -> tuple[list[str], str, dict]:
    """Write random records of every cell of :data:`SETTINGS`, and the published table.

    Returns
    -------
    The records, the published file, and (task, row) -> (3, 3) values.
    """
    generator = np.random.default_rng(0)
    numbers = {
        (task, row): generator.uniform(5, 30, size=(3, 3))
        for task in SETTINGS["tasks"]
        for row in SETTINGS["rows"]
    }
    records = [write_repeats(folder, *place, values) for place, values in numbers.items()]
    published = folder / "m4.csv"
    published.write_text(PUBLISHED)
    return records, str(published), numbers


def write_published(folder: Path, rows: dict[str, tuple[float, float]]) -> str:
    """Write a published table for Adult whose three metrics have the same mean and deviation in a row."""
    lines = [PUBLISHED.split("\n", maxsplit=1)[0]]
    for row, (mean, std) in rows.items():
        lines += [
            f"m4,table5,{row},adult,{metric},{mean},{std},%,Table 5"
            for metric in ("DP", "Error", "Balanced Error")
        ]
    path = folder / "printed.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)
