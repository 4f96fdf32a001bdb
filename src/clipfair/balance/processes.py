"""Parallel evaluation of functions on batches of tables; the results do not depend on the number of
processes."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from clipfair.balance.table import TableBatch
from clipfair.core.errors import UserError

# Starting a process takes a second: fewer bytes than these are computed faster in this one.
_SMALL_BYTES = 1 << 24

Result = TypeVar("Result")


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class BatchProcesses:
    """This process, which reads and writes, and others, which compute; they start when they are needed.

    It is a context manager: the other processes end with the block, also after an error. Each holds up to two
    batches.

    Parameters
    ----------
    number : of processes, with this one; 1 computes everything in this one.
    """

    def __init__(self, number: int = 1):
        self._others = number - 1
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "BatchProcesses":
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def map(
        self, function: Callable[[TableBatch], Result], batches: Iterator[TableBatch]
    ) -> Iterator[Result]:
        """Yield the function of each batch, in the order of the batches.

        The function and its results are sent between processes: it is a function of a module, or a partial
        of one.

        Raises
        ------
        UserError
            If the function does, or if another process ended, such as for lack of memory.
        """
        try:
            yield from self._map(function, batches)
        except BrokenProcessPool:
            raise UserError(
                "one of the processes was killed, such as for lack of memory: run again with --processes 1"
            ) from None

    def _map(
        self, function: Callable[[TableBatch], Result], batches: Iterator[TableBatch]
    ) -> Iterator[Result]:
        size, waiting = 0, deque()
        for batch in batches:
            if self._others == 0 or size < _SMALL_BYTES:
                size += batch.columns.nbytes
                yield function(batch)
                continue
            waiting.append(self._started_pool().submit(function, batch))
            if len(waiting) > self._others + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _started_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._others, mp_context=context, initializer=_follow_the_parent)
            with _ignored_interrupts():
                # One job each starts the processes, which inherit that interrupts are ignored.
                for _ in range(self._others):
                    self._pool.submit(os.getpid)
        return self._pool


@contextlib.contextmanager
def _ignored_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C, which the terminal sends to all processes: this one ends the others."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)


def _follow_the_parent() -> None:
    """End this process if the one that started it is killed."""
    threading.Thread(target=_wait_for_the_parent, daemon=True).start()


def _wait_for_the_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
