"""Digests of small results under different kernels, also of emulated processors.

    PYTHONPATH=src python benchmarks/verify/kernels.py OUT.csv [--emulator qemu-x86_64] [--setting NAME ...]

Runs digests.py once for each setting. An emulated processor reports its own model, features and caches, and
the libraries choose their kernels by them; the emulator computes approximate reciprocals and roots (RCPPS,
RSQRTPS) otherwise than the hardware, as another make of processor does.
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

DIGESTS = Path(__file__).with_name("digests.py")
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
EMULATED = ("Haswell", "Skylake-Client", "EPYC-Rome")
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main() -> None:
    """Run all settings and write the comparison."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--emulator")
    parser.add_argument("--setting", action="append", default=[])
    arguments = parser.parse_args()
    rows = [
        row
        for name, environment in SETTINGS.items()
        if not arguments.setting or name in arguments.setting
        for row in measure(name, environment, [])
    ]
    for model in EMULATED if arguments.emulator else ():
        emulator = [arguments.emulator, "-cpu", model]
        rows += measure(f"portable, emulated {model}", VARIABLES, emulator)
    frame = pd.DataFrame(rows)
    reference = frame[frame["setting"] == PORTABLE].set_index("result")["digest"]
    frame["as_portable"] = frame["digest"] == frame["result"].map(reference)
    frame.to_csv(arguments.out, index=False)
    print(frame.groupby("setting", sort=False)["as_portable"].agg(["sum", "count"]))


def measure(setting: str, environment: dict[str, str], emulator: list[str]) -> list[dict]:
    """One row for each result of a setting."""
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    with tempfile.TemporaryDirectory() as scratch:
        run = subprocess.run(
            [*emulator, sys.executable, str(DIGESTS), scratch],
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
