"""Snakemake in the copy of a rehearsal."""

import os
import subprocess
import sys
from pathlib import Path


def snakemake(folder: Path, study: str, *arguments: str, capture: bool = False) -> str:
    """Run Snakemake in the copy; return its output if it is captured.

    Raises
    ------
    SystemExit
        If it fails.
    """
    command = [sys.executable, "-m", "snakemake", *arguments, "--config", f"study={study}", "mirror=mirror"]
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
