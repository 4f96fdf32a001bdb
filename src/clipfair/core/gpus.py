"""GPUs of a machine without a scheduler: each job reserves its own, and waits while all are in use."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

DEVICES = Path("/dev")
LOCKS = Path(tempfile.gettempdir())
WAIT = 2.0  # seconds between two attempts


@contextlib.contextmanager
def reserve_gpus(count: int) -> Iterator[None]:
    """Reserve GPUs for this process and set CUDA_VISIBLE_DEVICES to them.

    Nothing is reserved under SLURM, which has assigned GPUs itself, for ``count`` 0, and where the machine
    has fewer than ``count`` GPUs. A reservation ends with the process, however it ends: it is a lock on a
    file.

    Parameters
    ----------
    count
        The number of GPUs that the job requests.
    """
    gpus = _visible_gpus()
    if not 0 < count <= len(gpus) or "SLURM_JOB_ID" in os.environ:
        yield
        return
    with contextlib.ExitStack() as locks:
        while len(reserved := _lock_free(gpus, count, locks)) < count:
            locks.close()
            time.sleep(WAIT)
        before = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(reserved)
        try:
            yield
        finally:
            if before is None:
                del os.environ["CUDA_VISIBLE_DEVICES"]
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = before


def _visible_gpus() -> list[str]:
    """The GPUs in CUDA_VISIBLE_DEVICES, or else all of the machine."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        names = (name.strip() for name in chosen.split(","))
        # CUDA ignores -1 and what follows it.
        return list(dict.fromkeys(filter(None, takewhile("-1".__ne__, names))))
    numbers = (path.name.removeprefix("nvidia") for path in DEVICES.glob("nvidia[0-9]*"))
    return sorted(numbers, key=int)


def _lock_free(gpus: list[str], count: int, locks: contextlib.ExitStack) -> list[str]:
    """Lock up to ``count`` GPUs that no other process has locked; return them."""
    reserved: list[str] = []
    for gpu in gpus:
        if len(reserved) == count:
            break
        name = gpu.replace("/", "_")  # as in MIG-GPU-<uuid>/1/0
        file = (LOCKS / f"clipfair-{os.getuid()}-gpu-{name}.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
        else:
            locks.enter_context(file)
            reserved.append(gpu)
    return reserved
