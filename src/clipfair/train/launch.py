"""Start a training: here, or as several processes under torchrun."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from clipfair.console import UserError
from clipfair.io import write_json
from clipfair.provenance import SOURCE

REQUEST, ERROR = "request.json", "error.txt"


def launch(processes: int, request: Mapping) -> None:
    """:func:`clipfair.train.run.train` with the arguments of ``request``, as that many processes.

    Raises
    ------
    UserError
        As ``train`` does.
    """
    if processes <= 1:
        from clipfair.train.run import train

        train(**request)
        return
    folder = Path(request["scratch"])
    write_json(folder / REQUEST, request)
    (folder / ERROR).unlink(missing_ok=True)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(SOURCE.parent), os.environ.get("PYTHONPATH", "")]),
    }
    run = subprocess.Popen(
        [*command, "-m", "clipfair.train", str(folder / REQUEST)], env=environment, stderr=sys.stderr
    )
    for number in (signal.SIGTERM, signal.SIGUSR1):
        # torchrun hands on the first of them only.
        signal.signal(number, lambda *_: run.terminate())
    if run.wait() != 0:
        error = folder / ERROR
        raise UserError(
            error.read_text(encoding="utf-8").strip()
            if error.exists()
            else f"torchrun ended with {run.returncode}"
        )


def run_request(path: str) -> None:
    """What each process does: the request of a file; an error's line is left beside it."""
    from clipfair.train.run import train

    try:
        train(**json.loads(Path(path).read_text(encoding="utf-8")))
    except UserError as error:
        Path(path).with_name(ERROR).write_text(str(error), encoding="utf-8")
        raise
