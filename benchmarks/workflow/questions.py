"""Sum the benchmark files of the study `questions` by question.

    PYTHONPATH=src python benchmarks/workflow/questions.py OUT "subset=[fairface]"

runs after the study, in its folder, with the values of --config that the study was run with, and writes the
table to OUT. A job counts for the first question that needs it, so the rows add up to the whole.
"""

import argparse
import re
import subprocess
from pathlib import Path

import pandas as pd

from clipfair.core.io import write_csv

TARGETS = {
    **{f"q{number}": f"results/tables/questions/questions/q{number}.md" for number in range(1, 9)},
    "q1-placebo": "results/tables/questions/questions/q1-placebo.md",
    "q7-known-answers": "results/tables/questions/m4/known-answers-q7.md",
}
BENCHMARK = re.compile(r"^ +benchmark: (\S+)$", flags=re.MULTILINE)


def jobs_of(question: str, config: list[str]) -> list[str]:
    """Return the benchmark files of all jobs that a question needs, from a dry run."""
    command = ["snakemake", "--dry-run", "--forceall", "--nolock", "--config", "study=questions", *config]
    command += ["--", TARGETS[question]]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return BENCHMARK.findall(run.stdout + run.stderr)


def sum_by_question(config: list[str]) -> pd.DataFrame:
    """Return a row for each question: ``question``, ``jobs``, ``wall_seconds``, ``sampled_cpu_seconds``."""
    rows, counted = [], set()
    for question in TARGETS:
        files = [file for file in jobs_of(question, config) if file not in counted and Path(file).exists()]
        counted.update(files)
        seconds = pd.concat([pd.read_csv(file, sep="\t", na_values="NA") for file in files])
        sums = {"wall_seconds": seconds["s"].sum(), "sampled_cpu_seconds": seconds["cpu_time"].sum()}
        rows.append({"question": question, "jobs": len(files), **sums})
    return pd.DataFrame(rows).round(0)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("config", nargs="*")
    chosen = parser.parse_args()
    write_csv(chosen.out, sum_by_question(chosen.config))


if __name__ == "__main__":
    main()
