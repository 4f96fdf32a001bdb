"""CPU seconds of small trainings with portable and with native numerics.

    PYTHONPATH=src python benchmarks/verify/cost.py BUILT OUT.csv [--repeats 3]

BUILT is a folder in which the default study was built (data/, results/). Each repeat is a process of its own;
portable and native take turns, so that other work on the machine affects both.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from clipfair.core.numerics import NATIVE, PORTABLE, VARIABLES, processor
from clipfair.core.paths import ROOT, Run

RUNS = {
    "pretraining": Run("embedded-web", "baseline", "small-32-r64", "clip"),
    "fine-tuning": Run("embedded-fundus", "none", "small-baseline", "clip-ft"),
    "fine-tuning with a fairness loss": Run(
        "embedded-fundus", "none", "small-baseline", "a-fairclip", "race", "0.07"
    ),
}
ONE = "--one"


def train_all(built: str) -> None:
    """Train every run once in this process; print the CPU seconds of each as JSON."""
    import torch  # noqa: F401  its import is not a part of the first training

    from clipfair.plan.configuration_files import configuration_files, merge, read_configuration
    from clipfair.plan.loading import load_plan
    from clipfair.plan.training_jobs import training_job
    from clipfair.train.run import train

    os.chdir(built)
    plan = load_plan(merge(read_configuration(configuration_files(ROOT)), {"study": "embedded"}))
    seconds = {}
    for name, run in RUNS.items():
        job = training_job(plan, run)
        rows = {"keep": job.keep} if job.keep else {"table": job.table[0]}
        data = {"raw": job.raw, "cache": job.cache, **rows}
        with tempfile.TemporaryDirectory() as folder:
            out = {part: f"{folder}/{part}" for part in ("model", "spec", "log", "epochs", "snapshots")}
            weights = next(iter(job.weights), None)
            started = time.process_time()
            train(job.settings, data=data, weights=weights, out=out, scratch=f"{folder}/scratch")
            seconds[name] = time.process_time() - started
    print(json.dumps(seconds))


def measure(built: str, out: Path, repeats: int) -> None:
    """Write the CPU seconds of every training, kind of numerics and repeat."""
    rows = []
    for repeat in range(repeats):
        for numerics in (NATIVE, PORTABLE):
            environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
            run = subprocess.run(
                [sys.executable, __file__, built, ONE],
                env=environment | {"OMP_NUM_THREADS": "1"} | (VARIABLES if numerics == PORTABLE else {}),
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            common = {
                "date": datetime.now(UTC).date().isoformat(),
                "processor": processor()["model"],
                "load": round(os.getloadavg()[0], 1),
                "numerics": numerics,
                "repeat": repeat,
            }
            for training, seconds in json.loads(run.stdout.splitlines()[-1]).items():
                rows.append(common | {"training": training, "cpu_seconds": round(seconds, 2)})
    frame = pd.DataFrame(rows)
    frame.to_csv(out, index=False)
    print(frame.groupby(["training", "numerics"])["cpu_seconds"].median().unstack())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("built")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(ONE, action="store_true")
    arguments = parser.parse_args()
    if arguments.one:
        train_all(arguments.built)
    else:
        measure(arguments.built, arguments.out, arguments.repeats)
