"""Rates of M4 and the biases that its weights leave, for each reading of Table 5: means over the repeats.

    PYTHONPATH=src python benchmarks/table5/m4_rates.py > docs/tables/table5-m4.csv

reads ``results/tabular/embedded``, which the target ``results/tables/embedded/m4/table5-readings.md`` makes.
"""

import json
import sys

import pandas as pd

from clipfair.core.paths import ROOT

READINGS = [
    *("m4", "m4-reweigh", "m4-uniform", "m4-0.9", "m4-0.9-uniform"),
    *("m4-reweigh-all", "m4-reweigh-all-weak", "m4-reweigh-all-uniform"),
]
COLUMNS = ["rate", "association_bias_before", "association_bias_weighted", "representation_bias_weighted"]
RECORD = "dataset~{task}/balance~none/model~mlp-128/method~{reading}/attr~sex/lam~0/metrics.json"


def read_means(task: str, reading: str) -> dict:
    """One row: means over repeats, rounded to 6 decimals."""
    record = ROOT / "results/tabular/embedded" / RECORD.format(task=task, reading=reading)
    repeats = json.loads(record.read_text(encoding="utf-8"))["repeats"]
    means = pd.DataFrame([repeat["details"] for repeat in repeats])[COLUMNS].mean().round(6).abs()
    return {"data": "real", "task": task, "row": reading, "n": len(repeats), **means}


if __name__ == "__main__":
    rows = [read_means(task, reading) for task in ("adult", "credit-default") for reading in READINGS]
    pd.DataFrame(rows).to_csv(sys.stdout, index=False)
