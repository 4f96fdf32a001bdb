"""Measure M4: from annotations to certified weights, and the exact solver against Algorithm 1.

    python benchmarks/m4/run.py --data FOLDER

writes end-to-end.csv and solvers.csv next to this file, one measurement a row; --part makes one of them. The
annotations are made once, in FOLDER. An end-to-end run is the command of the package; its peak memory is the
largest sum over its processes, where pages that they share count for each. The solvers run in one process, on
the same pattern counts in memory.
"""

import argparse
import datetime
import itertools
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from annotations import GROUPS, label_names, write

from clipfair.balance.counts import count_tables
from clipfair.balance.layout_inference import infer_layout
from clipfair.balance.table import AnnotationTable
from clipfair.core.io import read_json, write_csv
from clipfair.m4 import M4Settings, Problem, Solution, solve, stochastic
from clipfair.m4.dual import Dual

_RATES = (0.6, 0.9)
_LABELS = (80, 170)
_TARGET_GAP = 1e-3
_BATCH = 1024
# CPU seconds for Algorithm 1 at other n; its progress in an update does not depend on n.
_SHORT = 6.0


def end_to_end(data: Path, n: int, c: int, rate: float, processes: int) -> dict:
    """The command on a parquet file, to weights, keep-list and audit."""
    out = data / f"balanced-{n}-{c}-{rate}-{processes}"
    command = [sys.executable, "-m", "clipfair.balance", str(data / f"{n}.parquet")]
    command += ["--sensitive", *GROUPS, "--labels", *label_names(c), "--key", "key"]
    command += ["--rate", str(rate), "--processes", str(processes), "--out", str(out)]
    load, start = os.getloadavg()[0], time.perf_counter()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident(process))
        time.sleep(0.05)
    seconds, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise RuntimeError(f"the command failed: {' '.join(command)}")
    audit = read_json(out / "audit.json")
    return {
        "date": datetime.date.today().isoformat(),
        "load": load,
        "n": n,
        "c": c,
        "rate": rate,
        "processes": processes,
        "patterns": audit["patterns"],
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": peak / 2**20,
        "relative_gap": audit["certificate"]["relative_gap"],
        "unsatisfied": len(audit["unsatisfied"]),
    }


def resident(process: psutil.Process) -> int:
    """Bytes in memory of a process and those that it started; 0 once it has ended."""
    try:
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def solvers(data: Path, n: int, c: int, rate: float, budget: float) -> Iterator[dict]:
    """The exact solver, and Algorithm 1 by example and by batch, on the same counts.

    In CPU seconds, which other work on the machine does not lengthen; the solvers use one thread.
    """
    table = AnnotationTable(data / f"{n}.parquet")
    layout = infer_layout([table], sensitive=GROUPS, labels=label_names(c))
    start = time.process_time()
    patterns = count_tables([table], layout).patterns()
    counting = time.process_time() - start
    problem = Problem(patterns, M4Settings(patterns.share @ patterns.sensitive, rate))
    case = {"n": n, "c": c, "rate": rate, "patterns": len(patterns.count)}
    yield case | {"what": "counting", "cpu_seconds": counting}
    for tolerance in (_TARGET_GAP, 1e-9):
        start = time.process_time()
        solution = solve(problem, tolerance=tolerance)
        seconds = time.process_time() - start
        yield case | {"what": f"exact to {tolerance:g}", "cpu_seconds": seconds} | quality(solution)
    for what, batch, limit in (("Algorithm 1", 1, budget), (f"Algorithm 1, batch {_BATCH}", _BATCH, _SHORT)):
        pilots = {tau: climb(problem, batch, tau, 1.0)["relative_gap"] for tau in (0.1, 1.0, 10.0)}
        tau = min(pilots, key=pilots.get)
        yield case | {"what": what, "tau": tau} | climb(problem, batch, tau, limit)


def climb(problem: Problem, batch: int, tau: float, budget: float) -> dict:
    """Run Algorithm 1, projected, to the target gap or the end of the budget; the best iterate counts.

    The gap is computed at growing intervals; the time to compute it is not counted.
    """
    dual = Dual(problem)
    steps = stochastic.iterate(
        problem,
        rng=np.random.default_rng(0),
        learning_rate=tau,
        batch_size=batch,
        yield_every=max(1, 200 // batch),
    )
    seconds, next_check, t, best = 0.0, 0.5, 0, {"relative_gap": np.inf}
    while best["relative_gap"] > _TARGET_GAP and seconds < budget:
        start = time.process_time()
        t, v, _ = next(steps)
        seconds += time.process_time() - start
        if seconds >= min(next_check, budget):
            best = min(best, quality(stochastic.finish(dual, v)), key=lambda found: found["relative_gap"])
            next_check *= 1.2
    return {"cpu_seconds": seconds, "updates": t, "examples_seen": t * batch} | best


def quality(solution: Solution) -> dict:
    """Gap, objective and largest violation of a solution."""
    certificate = solution.certificate
    return {
        "relative_gap": certificate.relative_gap,
        "objective": certificate.primal,
        "largest_violation": float(certificate.violation.max()),
    }


def measure_end_to_end(data: Path, sizes: Sequence[int]) -> None:
    """Measure the command on tables of these sizes, in one and in two processes."""
    rows, before = [], 0.0
    for n, rate, processes in itertools.product(sizes, _RATES, (1, 2)):
        row = end_to_end(data, n, max(_LABELS), rate, processes)
        # The children of this process so far, which include those of earlier runs.
        before, row["cpu_seconds"] = row["cpu_seconds"], row["cpu_seconds"] - before
        rows.append(row)
        print(row, flush=True)
    write_csv(Path(__file__).with_name("end-to-end.csv"), pd.DataFrame(rows))


def measure_solvers(data: Path, sizes: Sequence[int], budget: float) -> None:
    """Measure the exact solver and Algorithm 1."""
    rows = []
    for n, c in itertools.product(sizes, _LABELS):
        for row in solvers(data, n, c, 0.6, budget if n == 10**6 else _SHORT):
            rows.append(row)
            print(row, flush=True)
    write_csv(Path(__file__).with_name("solvers.csv"), pd.DataFrame(rows))


def main() -> None:
    """Make the data, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder for the annotations (0.1 GB)")
    parser.add_argument("--part", choices=("end-to-end", "solvers"), help="one of the two (default: both)")
    parser.add_argument("--sizes", nargs="+", type=int, default=[10**5, 10**6, 10**7], metavar="N")
    parser.add_argument(
        "--budget", type=float, default=90.0, help="CPU seconds for Algorithm 1 at n = 1e6 (default 90)"
    )
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    for n in options.sizes:
        if not (options.data / f"{n}.parquet").exists():
            write(options.data / f"{n}.parquet", n, max(_LABELS))
    if options.part != "solvers":
        measure_end_to_end(options.data, options.sizes)
    if options.part != "end-to-end":
        measure_solvers(options.data, options.sizes, options.budget)


if __name__ == "__main__":
    main()
