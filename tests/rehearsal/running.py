"""Snakemake in the copy of a rehearsal."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# Everything that a study has.
EVERYTHING = ("all", "cards")


def snakemake(
    folder: Path, study: str, *options: str, targets: Sequence[str] = (), capture: bool = False
) -> str:
    """Run Snakemake in the copy, for its default target if none is given; return captured output.

    Raises
    ------
    SystemExit
        If it fails.
    """
    command = [sys.executable, "-m", "snakemake", *options, "--config", f"study={study}", "mirror=mirror"]
    command += ["--", *targets]
    # The logger plugin and the package of the copy.
    environment = {**os.environ, "PYTHONPATH": str(folder.resolve() / "src")}
    run = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE if capture else None,
        stderr=subprocess.STDOUT if capture else None,
        text=True,
        check=False,
    )
    if run.returncode:
        sys.exit(f"{run.stdout or ''}\nrehearsal: snakemake failed in {folder}; correct it and run again")
    return run.stdout or ""
