"""Recovery after a workflow was killed: it leaves a lock and, on SLURM, jobs, which the next call removes.

A workflow records its process in a file when it starts and removes the file when it ends. The next call
clears up after a recorded process that is dead, on the same machine. It leaves alone what may run elsewhere.
"""

import socket
import subprocess
import sys
from pathlib import Path

import psutil

from clipfair.core.io import read_json, write_json

OWNER = Path(".snakemake/owner.json")
LOCKS = Path(".snakemake/locks")


def record_owner() -> None:
    """Record that this process runs the workflow in this folder; Snakemake has locked it already."""
    process = psutil.Process()
    write_json(
        OWNER, {"host": socket.gethostname(), "process": process.pid, "started": process.create_time()}
    )


def remove_owner() -> None:
    """Remove the record: the workflow has ended normally."""
    OWNER.unlink(missing_ok=True)


def clear_after_crash() -> None:
    """Remove the lock and cancel the SLURM jobs of a workflow of this folder that was killed.

    Its jobs are cancelled because a new workflow cannot wait for jobs that it did not submit. Trainings
    resume from their checkpoints.
    """
    if not OWNER.is_file():
        return
    owner = read_json(OWNER)
    if owner["host"] != socket.gethostname() or _is_alive(owner):
        return
    recorded = OWNER.stat().st_mtime
    for lock in LOCKS.glob("*"):
        # A newer lock belongs to another workflow.
        if lock.stat().st_mtime <= recorded:
            lock.unlink(missing_ok=True)
    cancelled = cancel_jobs(Path.cwd())
    remove_owner()
    jobs = f" and cancelled {cancelled} jobs" if cancelled else ""
    print(f"clipfair: the last workflow in this folder was killed: removed its lock{jobs}", file=sys.stderr)


def cancel_jobs(folder: Path) -> int:
    """Cancel the SLURM jobs that were submitted from ``folder`` and return their number; 0 without SLURM."""
    try:
        queue = subprocess.run(
            ["squeue", "--me", "--noheader", "--format=%A %Z"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return 0
    entries = [entry.split(" ", 1) for entry in queue.stdout.splitlines()]
    jobs = [job for job, submitted_from in entries if submitted_from.strip() == str(folder)]
    if jobs:
        subprocess.run(["scancel", *jobs], check=False)
    return len(jobs)


def _is_alive(owner: dict) -> bool:
    """Return whether the recorded process runs; its number alone may belong to a later process."""
    try:
        return psutil.Process(owner["process"]).create_time() == owner["started"]
    except psutil.NoSuchProcess:
        return False
