"""Sum Snakemake's benchmark files by rule, and draw where the CPU time of a study goes.

    PYTHONPATH=src python benchmarks/workflow/sum_benchmarks.py logs benchmarks/workflow

writes rules.csv and rules.png into the folder. Snakemake samples a job's processes while they run: the CPU
time after the last sample is missing, up to two seconds of a short job. run.py measures the total exactly.
"""

import argparse
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from clipfair.core.io import atomic_path, write_csv

SUFFIX = ".benchmark.tsv"


def read_benchmarks(logs: Path) -> pd.DataFrame:
    """Return a row for each job below ``logs``: ``rule``, ``s`` (wall), ``cpu_time``, ``max_rss`` (MB).

    The rule is the folder below ``logs``, or the name of a file that lies in ``logs``.
    """
    files = sorted(logs.rglob(f"*{SUFFIX}"))
    rules = [file.relative_to(logs).parts[0].removesuffix(SUFFIX) for file in files]
    jobs = pd.concat(
        [pd.read_csv(file, sep="\t", na_values="NA") for file in files], keys=rules, names=["rule"]
    )
    return jobs.reset_index("rule")


def sum_by_rule(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return jobs, wall-clock and CPU seconds and the largest memory of each rule, by CPU time."""
    by_rule = jobs.groupby("rule")
    sums = pd.DataFrame(
        {
            "jobs": by_rule.size(),
            "wall_seconds": by_rule["s"].sum().round(1),
            "cpu_seconds": by_rule["cpu_time"].sum().round(1),
            "max_memory_mb": by_rule["max_rss"].max().round(),
        }
    )
    return sums.sort_values("cpu_seconds", ascending=False).reset_index()


def draw(sums: pd.DataFrame) -> Figure:
    """Return horizontal bars of the CPU seconds of each rule, with its number of jobs."""
    figure = Figure(figsize=(7, 0.3 * len(sums) + 1), layout="constrained")
    axis = figure.add_subplot()
    names = [f"{row.rule} ({row.jobs})" for row in sums.itertuples()]
    axis.barh(names, sums["cpu_seconds"])
    axis.invert_yaxis()
    axis.set_xlabel(
        f"CPU seconds of all jobs of a rule (number of jobs); total {sums['cpu_seconds'].sum():,.0f}"
    )
    return figure


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("logs", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    sums = sum_by_rule(read_benchmarks(chosen.logs))
    write_csv(chosen.out / "rules.csv", sums)
    with atomic_path(chosen.out / "rules.png") as temporary:
        draw(sums).savefig(temporary, format="png", dpi=120)
    print(sums.to_string(index=False))


if __name__ == "__main__":
    main()
