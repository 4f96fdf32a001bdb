"""Digests of small results under different kernels, also of emulated processors.

    PYTHONPATH=src python benchmarks/verify/kernels.py OUT.csv [--setting NAME ...]
    PYTHONPATH=src python benchmarks/verify/kernels.py OUT.csv --emulator qemu-x86_64 --processor Haswell

Runs digests.py (or operations.py, with --program operations) once for each setting and adds its rows to
OUT.csv. An emulated processor reports its own model, features and caches, and the libraries choose their
kernels by them. The emulator computes approximate reciprocals and roots (RCPPS, RSQRTPS) otherwise than the
hardware, as another make of processor does.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from clipfair.core.numerics import VARIABLES, processor

FOLDER = Path(__file__).parent
PROGRAMS = {"results": FOLDER / "digests.py", "operations": FOLDER / "operations.py"}
WITHOUT_AVX512 = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD"
WITHOUT_FMA = "glibc.cpu.hwcaps=-FMA,-AVX2"
PORTABLE = "portable"
# The environment of each setting.
SETTINGS = {
    PORTABLE: VARIABLES,
    "native": {},
    **{
        f"portable but {name}": {other: value for other, value in VARIABLES.items() if other != name}
        for name in VARIABLES
    },
    "portable, torch without vectors": VARIABLES | {"ATEN_CPU_CAPABILITY": "default"},
    "portable, libm without AVX-512": VARIABLES | {"GLIBC_TUNABLES": WITHOUT_AVX512},
    "portable, libm without FMA": VARIABLES | {"GLIBC_TUNABLES": WITHOUT_FMA},
}
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main() -> None:
    """Run the settings that were chosen, all unless any was, and add them to the comparison."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--program", choices=PROGRAMS, default="results")
    parser.add_argument("--setting", action="append", choices=SETTINGS, help="repeatable; all unless given")
    parser.add_argument("--emulator", help="qemu-x86_64; with it, emulated processors alone")
    parser.add_argument("--processor", action="append", default=[], help="of the emulator; repeatable")
    arguments = parser.parse_args()
    program = PROGRAMS[arguments.program]
    if arguments.emulator:
        for model in arguments.processor:
            emulator = [arguments.emulator, "-cpu", model]
            add(arguments.out, measure(program, f"portable, emulated {model}", VARIABLES, emulator))
    else:
        for setting in arguments.setting or SETTINGS:
            add(arguments.out, measure(program, setting, SETTINGS[setting], []))


def add(out: Path, rows: list[dict]) -> None:
    """Add the results of a setting to a csv, in place of older ones; compare all with the portable ones."""
    frame = pd.DataFrame(rows)
    if out.exists():
        known = pd.read_csv(out)
        frame = pd.concat([known[~known["setting"].isin(frame["setting"])], frame], ignore_index=True)
    reference = frame[frame["setting"] == PORTABLE].set_index("result")["digest"]
    frame["as_portable"] = frame["digest"] == frame["result"].map(reference)
    frame.to_csv(out, index=False)
    print(frame.groupby("setting", sort=False)["as_portable"].agg(["sum", "count"]), flush=True)


def measure(program: Path, setting: str, environment: dict[str, str], emulator: list[str]) -> list[dict]:
    """One row for each result of a setting."""
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    with tempfile.TemporaryDirectory() as scratch:
        run = subprocess.run(
            [*emulator, sys.executable, str(program), scratch],
            env=inherited | THREADS | environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found = json.loads(run.stdout.splitlines()[-1])
    common = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": processor()["model"],
        "processor": emulator[-1] if emulator else "hardware",
        "setting": setting,
        "cpu_seconds": round(found["cpu_seconds"], 1),
        "torch": found["packages"]["torch"],
        "numpy": found["packages"]["numpy"],
    }
    return [common | {"result": result, "digest": digest[:16]} for result, digest in found["digests"].items()]


if __name__ == "__main__":
    main()
