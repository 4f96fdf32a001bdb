"""Requests to stop: SIGTERM and SIGUSR1, which SLURM sends before it ends a job."""

import signal
from types import FrameType, TracebackType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopSignal:
    """A context in which the signals do not end the process but are recorded in ``signal``."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignal":
        self._before = {number: signal.signal(number, self._record) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _record(self, number: int, frame: FrameType | None) -> None:
        self.signal = number

    @property
    def name(self) -> str:
        """The name of the signal, e.g. ``SIGTERM``."""
        return signal.Signals(self.signal).name
