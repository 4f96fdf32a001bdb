"""The sampling rate of M4 in candidates of the world web-associated, on draws 100 and 101.

    PYTHONPATH=src python benchmarks/worlds/web.py SCRATCH

No model is trained: M4 balances the simulated annotations of each draw. The rows of each candidate are
appended to web.csv next to this file. Rows that the file has are not computed again.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from candidates import WEB

from clipfair.balance.conditions import make_condition
from clipfair.core.io import read_json
from clipfair.core.provenance import settings_digest
from clipfair.data.embedded.generate import generate_world
from clipfair.data.embedded.world import make_settings
from clipfair.plan.loading import load_study
from clipfair.tables.common.table_files import read_table, write_table

RESULTS = Path(__file__).with_name("web.csv")
DRAWS = (100, 101)
BALANCES = ("balanced", "proxies")
BIASES = ("representation_bias", "association_bias")


def main(scratch: str) -> None:
    """Append the rows of the candidates that web.csv does not have."""
    balances = load_study("embedded").configuration.balances
    rows = read_table(RESULTS).to_dict("records") if RESULTS.exists() else []
    known = {(row["settings"], row["draw"]) for row in rows}
    for settings in WEB:
        for draw in DRAWS:
            if (json.dumps(settings), draw) not in known:
                rows += measure(settings, draw, balances, Path(scratch))
                write_table(RESULTS, pd.DataFrame(rows), "synthetic")


def measure(settings: Mapping, draw: int, balances: Mapping, scratch: Path) -> Iterator[dict]:
    """Draw the pairs and balance them in every condition."""
    folder = scratch / settings_digest({"draw": draw, **settings})
    if not folder.exists():
        generate_world("web", make_settings("web", settings), draw, folder)
    date = datetime.now(UTC).date().isoformat()
    for name in BALANCES:
        balance = balances[name]
        given = balance.job_settings()
        make_condition(
            [folder / "annotations.parquet"],
            kind="m4",
            settings={key: given[key] for key in given if key not in ("kind", "seed", "within")},
            seed=balance.seed,
            keep_path=folder / "keep.parquet",
            audit_path=folder / "audit.json",
            dual_path=folder / "dual.json",
        )
        audit = read_json(folder / "audit.json")
        yield {
            **{"date": date, "settings": json.dumps(settings), "draw": draw, "condition": name},
            "rate": round(audit["largest_rate"], 4),
            **{
                f"{bias}_{version}": round(audit["bias"][version][bias], 4)
                for bias in BIASES
                for version in ("before", "after")
            },
        }


if __name__ == "__main__":
    main(*sys.argv[1:])
