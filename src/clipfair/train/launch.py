"""Start a training in this process, or in several processes with torchrun."""

import inspect
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.core.io import read_json, write_json, write_text
from clipfair.core.provenance import prepend_pythonpath
from clipfair.train.stop import SIGNALS

REQUEST, ERROR = "request.json", "error.txt"


def launch(processes: int, request: Mapping) -> None:
    """Call :func:`clipfair.train.run.train` with the arguments ``request``, in that many processes.

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
    prepend_pythonpath()
    run = subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"),
            *("-m", "clipfair.train", str(folder / REQUEST)),
        ],
        env={**os.environ, "OMP_NUM_THREADS": str(request["threads"])},
        stderr=sys.stderr,
    )
    # torchrun forwards only SIGTERM to its processes.
    before = {number: signal.signal(number, lambda *_: run.terminate()) for number in SIGNALS}
    try:
        failed = run.wait() != 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if failed:
        error = folder / ERROR
        message = f"torchrun ended with exit status {run.returncode}"
        raise UserError(error.read_text(encoding="utf-8") if error.exists() else message)


def requests_by_seed(
    settings: Sequence[Mapping],
    *,
    data: Sequence[Mapping],
    weights: Sequence[str],
    outputs: Mapping[str, Sequence[str]],
    scratch: Sequence[str],
    shared: Mapping,
) -> list[dict]:
    """Return the arguments of :func:`clipfair.train.run.train` for each seed of a job.

    Parameters
    ----------
    settings, data, scratch
        Of each seed.
    weights
        Of each seed; empty for random ones.
    outputs
        Name -> the path of each seed.
    shared
        The arguments that the seeds have in common.
    """
    of_seeds = zip(
        settings,
        data,
        map(str, weights) if weights else [None] * len(settings),
        zip(*outputs.values(), strict=True),
        scratch,
        strict=True,
    )
    return [
        {
            **shared,
            "settings": own,
            "data": read,
            "weights": start,
            "out": dict(zip(outputs, out, strict=True)),
            "scratch": folder,
        }
        for own, read, start, out, folder in of_seeds
    ]


def launch_each(processes: int, requests: Sequence[Mapping]) -> None:
    """Launch several trainings one after another.

    Each keeps its last checkpoint until all have finished: Snakemake removes all outputs of a job that fails,
    and the finished trainings then only write theirs again.

    Raises
    ------
    UserError
        As ``launch`` does for the first training that fails.
    """
    for request in requests:
        launch(processes, {**request, "keep_checkpoint": len(requests) > 1})
    for request in requests:
        shutil.rmtree(Path(request["scratch"], paths.CHECKPOINTS), ignore_errors=True)


def run_request(path: str) -> None:
    """Train with the arguments in a JSON file; leave the message of an error next to it.

    Raises
    ------
    UserError
        If there is no such file, it lacks an argument or has an unknown one, and as ``train`` does.
    """
    from clipfair.train.run import train

    if not Path(path).is_file():
        raise UserError(
            f"{path}: no such file; give a JSON file with the arguments of clipfair.train.run.train"
        )
    request = read_json(path)
    try:
        inspect.signature(train).bind(**request)
    except TypeError as error:
        raise UserError(f"{path}: not the arguments of clipfair.train.run.train: {error}") from None
    try:
        train(**request)
    except UserError as error:
        write_text(Path(path).with_name(ERROR), str(error))
        raise
