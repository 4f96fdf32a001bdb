"""Biases of models trained on draw 100 of the world web-associated, and the rate of M4 on its annotations.

    snakemake --cores 1 --configfile benchmarks/worlds/web.yaml -- results/tables/embedded/m4/figure{2,4}.csv
    PYTHONPATH=src python benchmarks/worlds/web_trained.py

writes web-trained.csv next to this file: one row for each condition, dataset and metric.
"""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from clipfair.core import paths
from clipfair.core.io import read_json
from clipfair.tables.common.table_files import read_table, write_table

RESULTS = Path(__file__).with_name("web-trained.csv")
STUDY, DATASET = "embedded", "web-associated-100"
TABLES = ("figure2", "figure4")


def main() -> None:
    """Write the values after the last example."""
    tables = [read_table(f"{paths.TABLE}.csv".format(study=STUDY, paper="m4", table=name)) for name in TABLES]
    values = pd.concat(tables, ignore_index=True)
    values = values[(values["part"] == "values") & (values["examples"] == values["examples"].max())]
    rows = values.rename(columns={"panel": "dataset", "mean": "value"})
    rates = {name: _rate(name) for name in rows["condition"].unique()}
    rows = rows[["condition", "dataset", "metric", "value"]].round({"value": 4})
    rows.insert(0, "date", datetime.now(UTC).date().isoformat())
    write_table(RESULTS, rows.assign(rate=rows["condition"].map(rates)), "synthetic")


def _rate(condition: str) -> float:
    """The largest rate of M4; of another condition the share of examples that it keeps."""
    audit = read_json(paths.AUDIT.format(study=STUDY, dataset=DATASET, balance=condition))
    return round(audit.get("largest_rate") or audit["rate"]["target"], 4)


if __name__ == "__main__":
    main()
