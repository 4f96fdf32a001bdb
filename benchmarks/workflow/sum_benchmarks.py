"""Sum Snakemake's benchmark files by rule, and draw where the time of a study goes.

    PYTHONPATH=src python benchmarks/workflow/sum_benchmarks.py logs benchmarks/workflow LABEL

replaces the rows with LABEL in rules.csv of the folder and draws rules.png from all of them. The wall-clock
times of jobs of one thread are their CPU times on a machine with a free core for each. Snakemake's own CPU
times are smaller: it samples a job's processes while they run, less and less often, and misses what comes
after the last sample.
"""

import argparse
from pathlib import Path

import numpy as np
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
    """Return the jobs of each rule, their wall-clock and sampled CPU seconds, and their largest memory."""
    by_rule = jobs.groupby("rule")
    sums = pd.DataFrame(
        {
            "jobs": by_rule.size(),
            "wall_seconds": by_rule["s"].sum().round(1),
            "sampled_cpu_seconds": by_rule["cpu_time"].sum().round(1),
            "max_memory_mb": by_rule["max_rss"].max().round(),
        }
    )
    return sums.sort_values("wall_seconds", ascending=False).reset_index()


def draw(sums: pd.DataFrame) -> Figure:
    """Return horizontal bars of the seconds of each rule, one bar for each label."""
    labels = list(dict.fromkeys(sums["label"]))
    rules = sums.groupby("rule")["wall_seconds"].max().sort_values(ascending=False).index
    figure = Figure(figsize=(7, 0.35 * len(rules) + 1), layout="constrained")
    axis, height = figure.add_subplot(), 0.8 / len(labels)
    for number, label in enumerate(labels):
        own = sums[sums["label"] == label].set_index("rule").reindex(rules)
        places = np.arange(len(rules)) + (number - (len(labels) - 1) / 2) * height
        total = f"{label}: {own['wall_seconds'].sum():,.0f} s, {own['jobs'].sum():.0f} jobs"
        axis.barh(places, own["wall_seconds"].fillna(0), height, label=total)
    axis.set_yticks(np.arange(len(rules)), rules)
    axis.invert_yaxis()
    axis.set_xlabel("seconds of all jobs of a rule")
    axis.legend()
    return figure


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("logs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("label")
    chosen = parser.parse_args()
    sums = sum_by_rule(read_benchmarks(chosen.logs))
    sums.insert(0, "label", chosen.label)
    path = chosen.out / "rules.csv"
    if path.exists():
        known = pd.read_csv(path)
        sums = pd.concat([known[known["label"] != chosen.label], sums], ignore_index=True)
    write_csv(path, sums)
    with atomic_path(chosen.out / "rules.png") as temporary:
        draw(sums).savefig(temporary, format="png", dpi=120)


if __name__ == "__main__":
    main()
