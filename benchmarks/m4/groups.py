"""Measure a condition made from groups of shards: time and peak memory of each step.

    PYTHONPATH=src python benchmarks/m4/groups.py --data FOLDER

makes synthetic annotations of 1e8 examples in FOLDER (0.9 GB) and takes the steps of
`clipfair.balance.conditions` with 1e6, 1e7 and all of them: every step of a group is a process of its own,
two at once. Writes groups.csv next to this file: one row a step and number of examples. The steps' own files
are removed.
"""

import argparse
import datetime
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from annotations import write

from clipfair.balance.conditions import SampledGroup, count_group, join_groups, sample_group, solve_condition
from clipfair.core.io import read_json, write_csv
from clipfair.core.numerics import processor

_SIZES = (10**6, 10**7, 10**8)
_GROUP_EXAMPLES, _SHARD_EXAMPLES = 10**7, 10**6
_TEMPORARY = ("counts~*", "similarity~*", "solved.json", "keep~*", "hashes~*", "sums~*")
_RESULTS = ("keep.parquet", "audit.json", "dual.json")
_LABELS, _PROCESSES = 170, 2
_CONDITION = {
    "kind": "m4",
    "settings": {
        "sensitive": ["gender"],
        "labels": ["occupation"],
        "target": "data",
        "rate": 0.6,
        "penalty": 10.0,
    },
}


def shard_path(data: Path, shard: int) -> Path:
    """The annotations of a shard."""
    return data / f"{shard:05d}.parquet"


def groups_of(data: Path, n: int) -> list[SampledGroup]:
    """The groups of n examples, with their files."""
    shards = [shard_path(data, shard) for shard in range(n // _SHARD_EXAMPLES)]
    size = _GROUP_EXAMPLES // _SHARD_EXAMPLES
    return [
        SampledGroup(
            shards[first : first + size],
            data / f"keep~{number}.parquet",
            data / f"hashes~{number}.npy",
            data / f"sums~{number}.npy",
        )
        for number, first in enumerate(range(0, len(shards), size))
    ]


def counted_paths(data: Path, group: int) -> dict[str, Path]:
    """The files of a counted group."""
    return {
        "counts_path": data / f"counts~{group}.npz",
        "similarity_path": data / f"similarity~{group}.npy",
    }


def take_step(data: Path, n: int, step: str, number: int) -> None:
    """Take one step, of one group or shard where it has them."""
    groups, solved = groups_of(data, n), data / "solved.json"
    if step == "generate":
        write(shard_path(data, number), _SHARD_EXAMPLES, _LABELS, shard=number)
    elif step == "count":
        count_group(groups[number].annotations, **_CONDITION, **counted_paths(data, number))
    elif step in ("solve", "solve at the largest rate"):
        settings = _CONDITION["settings"] | ({} if step == "solve" else {"rate": "max", "penalty": 1000.0})
        counted = [counted_paths(data, group) for group in range(len(groups))]
        counts, similarity = (
            [paths[name] for paths in counted] for name in ("counts_path", "similarity_path")
        )
        solve_condition(counts, similarity, kind="m4", settings=settings, solved_path=solved)
    elif step == "sample":
        sample_group(groups[number], solved_path=solved, seed=0)
    else:
        names = {name: data / f"{name}.json" for name in ("audit", "dual")}
        join_groups(
            groups,
            solved_path=solved,
            seed=0,
            keep_path=data / "keep.parquet",
            audit_path=names["audit"],
            dual_path=names["dual"],
        )


def measure(data: Path, n: int, step: str, numbers: Sequence[int]) -> dict:
    """Take a step for all numbers, at most two at once: wall time, CPU time and the largest peak memory."""

    def run(number: int):
        command = [sys.executable, __file__, "--data", data, "--n", n, "--step", step, "--number", number]
        process = subprocess.Popen(list(map(str, command)))
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError(f"step {step} {number} failed")
        return usage

    start = time.perf_counter()
    with ThreadPoolExecutor(_PROCESSES) as pool:
        usages = list(pool.map(run, numbers))
    return {
        "examples": n,
        "step": step,
        "processes": len(numbers),
        "seconds": time.perf_counter() - start,
        "cpu_seconds": sum(usage.ru_utime + usage.ru_stime for usage in usages),
        "peak_mb": max(usage.ru_maxrss for usage in usages) / 1024,
    }


def generate(data: Path, n: int) -> None:
    """Make the annotations that are not there yet."""
    shards = range(n // _SHARD_EXAMPLES)
    missing = [shard for shard in shards if not shard_path(data, shard).exists()]
    if missing:
        print(measure(data, n, "generate", missing), flush=True)


def condition(data: Path, n: int) -> list[dict]:
    """Measure all steps of a condition of n examples."""
    numbers = range(len(groups_of(data, n)))
    rows = []
    linear_program = [("solve at the largest rate", [0])] if n < max(_SIZES) else []
    for step, members in (
        ("count", numbers),
        *linear_program,
        ("solve", [0]),
        ("sample", numbers),
        ("join", [0]),
    ):
        rows.append(measure(data, n, step, members))
        print(rows[-1], flush=True)
    audit = read_json(data / "audit.json")
    facts = {
        "patterns": audit["patterns"],
        "relative_gap": audit["certificate"]["relative_gap"],
        "annotations_mb": megabytes(shard for group in groups_of(data, n) for shard in group.annotations),
        "temporary_mb": megabytes(file for pattern in _TEMPORARY for file in data.glob(pattern)),
        "load": os.getloadavg()[-1],
        "processor": processor()["model"],
        "date": datetime.date.today().isoformat(),
    }
    for pattern in (*_TEMPORARY, *_RESULTS):
        for file in data.glob(pattern):
            file.unlink()
    return [row | facts for row in rows]


def megabytes(files: Iterable[Path]) -> float:
    """The size of files."""
    return sum(file.stat().st_size for file in files) / 1e6


def main() -> None:
    """Make the data, measure, write; or take one step."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder for the annotations (3 GB while it runs)"
    )
    parser.add_argument("--n", type=int, help="this number of examples alone, a multiple of 1e6")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        take_step(options.data, options.n, options.step, options.number)
        return
    options.data.mkdir(parents=True, exist_ok=True)
    rows = []
    for n in [options.n] if options.n else _SIZES:
        generate(options.data, n)
        rows += condition(options.data, n)
    write_csv(Path(__file__).with_name("groups.csv"), pd.DataFrame(rows))


if __name__ == "__main__":
    main()
