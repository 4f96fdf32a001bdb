"""A workflow that was killed leaves a lock and, on SLURM, jobs behind: the next call takes over.

A workflow signs in when it starts and out when it ends, in a file of its own. What a later call finds signed
in but dead, on the same machine, it clears away; whatever another machine may still be at, it leaves alone.
"""

import socket
import subprocess
import sys
from pathlib import Path

import psutil

from clipfair.core.io import read_json, write_json

OWNER = Path(".snakemake/owner.json")
LOCKS = Path(".snakemake/locks")


def sign_in() -> None:
    """Say which process runs the workflow of this folder; Snakemake's lock is already there."""
    process = psutil.Process()
    write_json(
        OWNER, {"host": socket.gethostname(), "process": process.pid, "started": process.create_time()}
    )


def sign_out() -> None:
    """The workflow has ended in an orderly way."""
    OWNER.unlink(missing_ok=True)


def take_over() -> None:
    """Clear away what a dead workflow of this machine left in this folder: its lock, its jobs on SLURM.

    Its jobs are cancelled, since a workflow can only await what it has submitted itself; what trainings have
    done is in their checkpoints.
    """
    if not OWNER.is_file():
        return
    owner = read_json(OWNER)
    if owner["host"] != socket.gethostname() or _lives(owner):
        return
    signed = OWNER.stat().st_mtime
    for lock in LOCKS.glob("*"):
        # A lock that is newer belongs to somebody else.
        if lock.stat().st_mtime <= signed:
            lock.unlink(missing_ok=True)
    cancelled = cancel_jobs(Path.cwd())
    sign_out()
    jobs = f", {cancelled} jobs of it cancelled" if cancelled else ""
    print(f"clipfair: the last workflow in this folder was killed: taking over{jobs}", file=sys.stderr)


def cancel_jobs(folder: Path) -> int:
    """Cancel the jobs that were submitted from ``folder``, if there is a SLURM; their number."""
    try:
        asked = subprocess.run(
            ["squeue", "--me", "--noheader", "--format=%A %Z"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return 0
    lines = [line.split(" ", 1) for line in asked.stdout.splitlines()]
    jobs = [job for job, place in lines if place.strip() == str(folder)]
    if jobs:
        subprocess.run(["scancel", *jobs], check=False)
    return len(jobs)


def _lives(owner: dict) -> bool:
    """Whether that very process is alive; a number may have been given to another since."""
    try:
        return psutil.Process(owner["process"]).create_time() == owner["started"]
    except psutil.NoSuchProcess:
        return False
