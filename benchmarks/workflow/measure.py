"""Time the default study from a fresh clone, on a machine that does nothing else.

    python benchmarks/workflow/measure.py FOLDER LABEL

clones this repository into FOLDER and appends to runs.csv: the set-up, `make results`, its second call,
`snakemake --cores 2 results/table5.csv` in a second clone with the same environment, and `make test`
(unit tests). It sums the benchmark files of the run into rules.csv under LABEL and draws rules.png. A mirror
folder in CLIPFAIR_MIRROR replaces the network.
"""

import csv
import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CORES = ["--cores", "2"]
COLUMNS = ["date", "hardware", "load", "label", "commit", "what"]
MEASURED = ["jobs", "wall_seconds", "main_cpu_seconds", "jobs_cpu_seconds"]


def hardware() -> str:
    """Return the processor's model and the number of cores."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{model}, {os.cpu_count()} cores"


def clone(folder: Path) -> Path:
    """Clone this repository as it is committed."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


def run_snakemake(folder: Path, python: Path, *arguments: str) -> dict:
    """Run Snakemake in a clone; return its times and the number of jobs that it ran."""
    started = time.time()
    environment = os.environ | {"PYTHONPATH": "src", "PATH": f"{python.parent}:{os.environ['PATH']}"}
    command = [str(python), "benchmarks/workflow/run.py", "--logger", "clipfair", *CORES, *arguments]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    (folder / "run.log").write_text(run.stdout + run.stderr, encoding="utf-8")
    if run.returncode:
        raise SystemExit(f"{folder}/run.log: the run failed")
    benchmarks = [file.stat().st_mtime for file in folder.glob("logs/**/*.benchmark.tsv")]
    return json.loads(run.stderr.splitlines()[-1]) | {"jobs": sum(end > started for end in benchmarks)}


def make(folder: Path, target: str) -> dict:
    """Time a target of the Makefile in a clone."""
    outside = ("PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    started = time.monotonic()
    subprocess.run(["make", "--silent", target], cwd=folder, env=environment, check=True)
    return {"wall_seconds": round(time.monotonic() - started, 1)}


def append(row: dict) -> None:
    """Append a row to runs.csv."""
    path = HERE / "runs.csv"
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*COLUMNS, *MEASURED], extrasaction="ignore", lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)
    print({name: row.get(name) for name in ["what", *MEASURED]}, flush=True)


def main(folder: str, label: str) -> None:
    """Measure everything, one after the other."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()

    def record(what: str, measure: Callable[[], dict]) -> None:
        today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        known = {"date": today, "hardware": hardware(), "label": label, "commit": commit, "what": what}
        append({**known, "load": f"{os.getloadavg()[0]:.1f}", **measure()})

    whole, part = clone(Path(folder, "whole")), clone(Path(folder, "table5"))
    python = (whole / ".venv/bin/python").absolute()
    record("make setup", lambda: make(whole, "setup"))
    record("make results after it", lambda: run_snakemake(whole, python, "--keep-going"))
    record("make results again", lambda: run_snakemake(whole, python, "--keep-going"))
    record("results/table5.csv", lambda: run_snakemake(part, python, "--", "results/table5.csv"))
    command = [python, HERE / "sum_benchmarks.py", whole / "logs", HERE, label]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, check=True)
    record("make test", lambda: make(whole, "test"))


if __name__ == "__main__":
    main(*sys.argv[1:])
