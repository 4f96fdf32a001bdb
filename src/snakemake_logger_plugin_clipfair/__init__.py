"""The progress of a workflow on one screen: Snakemake's logger plugin ``clipfair`` (``--logger clipfair``).

On a terminal: a bar with finished jobs, running rules and the time left; errors and messages of jobs stay
above it. Elsewhere, such as in a file or a pipe: one short line whenever a job starts, ends or fails. Both
end with what failed and what to do.

Snakemake finds plugins by the names of their packages and imports all of them before it reads the Snakefile.
This package therefore imports nothing of the package clipfair: the Snakefile decides which copy of it is
used.

There is snakemake-logger-plugin-rich, with a bar for each rule. Its version 0.5.1 is not used: by its source
it names started and finished jobs only with ``--verbose``, prints the whole log of a failed job, ends without
saying what failed, and imports rich whenever Snakemake starts.
"""

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from logging import WARNING, LogRecord
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_clipfair.configfiles import check_configfiles

# Snakemake reads these files itself before the Snakefile, and fails with a traceback where one is missing.
check_configfiles(sys.argv[1:])

# Lines of a failed job's log that are shown.
LOG_LINES = 20
# Failed jobs that are named at the end.
MAX_PLACES = 5


class WorkflowState:
    """Finished, running and failed jobs, from Snakemake's events.

    Attributes
    ----------
    done, total
        Numbers of jobs.
    running
        Job id -> rule of every job that was started or submitted and has not ended.
    failed
        Job id -> rule and log file, which is empty where the rule has none, of every job whose last attempt
        failed.
    """

    def __init__(self) -> None:
        self.done = 0
        self.total = 0
        self.running: dict[int, str] = {}
        self.failed: dict[int, tuple[str, str]] = {}

    def update(self, record: LogRecord) -> list[str]:
        """Take one event; return the lines to show, without those of other messages of Snakemake."""
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self.total = record.stats["total"]
        elif event == LogEvent.PROGRESS:
            self.done, self.total = record.done, record.total
        elif event == LogEvent.JOB_INFO:
            self.running[record.jobid] = record.rule_name
        elif event == LogEvent.JOB_FINISHED:
            self.running.pop(record.job_id, None)
            self.failed.pop(record.job_id, None)
        elif event == LogEvent.JOB_ERROR:
            return self._fail(record)
        elif event in (None, LogEvent.ERROR) and record.levelno >= WARNING:
            return record.getMessage().splitlines()
        return []

    def _fail(self, record: LogRecord) -> list[str]:
        log = next(iter(record.log), "")
        self.running.pop(record.jobid, None)
        self.failed[record.jobid] = (record.rule_name, log)
        where = f"; the end of {log}:" if log else ""
        return [f"failed: {record.rule_name} (job {record.jobid}){where}", *_last_lines(log)]

    @property
    def running_rules(self) -> str:
        """The running rules with their numbers of jobs: ``fit_encoder, train_model x2``."""
        counts = Counter(self.running.values())
        return ", ".join(f"{rule} x{n}" if n > 1 else rule for rule, n in sorted(counts.items()))

    @property
    def advice(self) -> str:
        """The failures and advice on them; empty if nothing failed."""
        if not self.failed:
            return ""
        places = [f"{rule} ({log})" if log else rule for rule, log in self.failed.values()]
        if len(places) > MAX_PLACES:
            places[MAX_PLACES:] = [f"and {len(places) - MAX_PLACES} more"]
        return (
            f"clipfair: failed: {', '.join(places)}; fix what the log says and run the same command again: "
            "finished jobs are kept"
        )


def _last_lines(log: str) -> list[str]:
    try:
        lines = Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [f"    {line}" for line in lines[-LOG_LINES:]]


class LineView:
    """Short lines on standard error."""

    def __init__(self, state: WorkflowState):
        self.state = state

    def show(self, lines: list[str]) -> None:
        """Print lines."""
        for line in lines:
            print(line, file=sys.stderr, flush=True)

    def refresh(self, record: LogRecord) -> None:
        """Print a line if a job has started or ended."""
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            self.show([f"started: {record.rule_name} (job {record.jobid})"])
        elif event == LogEvent.PROGRESS:
            self.show([f"finished: {record.done} of {record.total} jobs"])

    def close(self) -> None:
        """Nothing has to be ended."""


class TerminalView:
    """A bar at the bottom of the terminal; everything else that is written appears above it.

    Jobs write to the same terminal and would overwrite the bar. The process's output is therefore sent
    through a pipe and printed line by line. Jobs see a pipe instead of a terminal and draw no bars.
    """

    def __init__(self, state: WorkflowState):
        # Snakemake imports every plugin at each start, also in jobs: rich is imported only where it is used.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.state = state
        self._output = RedirectedOutput(lambda line: self.show([line]))
        self._console = Console(file=self._output.terminal, force_terminal=True)
        self._progress = Progress(
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("jobs,"),
            TimeElapsedColumn(),
            TextColumn("passed,"),
            TimeRemainingColumn(),
            TextColumn("left  {task.fields[running]}"),
            console=self._console,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=None, running="")

    def show(self, lines: list[str]) -> None:
        """Print lines above the bar."""
        for line in lines:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def refresh(self, record: LogRecord) -> None:
        """Draw the bar; it appears with the first job."""
        state = self.state
        if state.total:
            self._progress.update(
                self._task, completed=state.done, total=state.total, running=state.running_rules
            )
            self._progress.start()

    def close(self) -> None:
        """Leave the bar as it is and give the terminal back."""
        self._output.restore()
        self._progress.stop()


class RedirectedOutput:
    """The output of this process and its jobs to the terminal, passed on line by line.

    Attributes
    ----------
    terminal
        The original standard error.
    """

    def __init__(self, on_line: Callable[[str], None]):
        sys.stdout.flush()
        sys.stderr.flush()
        self._originals = {number: os.dup(number) for number in (1, 2) if os.isatty(number)}
        self.terminal = os.fdopen(os.dup(2), "w", encoding="utf-8")
        reader, writer = os.pipe()
        for number in self._originals:
            os.dup2(writer, number)
        os.close(writer)
        self._thread = threading.Thread(target=self._read, args=(reader, on_line), daemon=True)
        self._thread.start()

    @staticmethod
    def _read(reader: int, on_line: Callable[[str], None]) -> None:
        with os.fdopen(reader, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                on_line(line.rstrip("\n"))

    def restore(self) -> None:
        """Undo the redirection after everything written so far has been passed on."""
        sys.stdout.flush()
        sys.stderr.flush()
        for number, original in self._originals.items():
            os.dup2(original, number)
            os.close(original)
        # A process that outlives the workflow may keep the pipe open.
        self._thread.join(timeout=2)


class LogHandler(LogHandlerBase):
    """The handler that Snakemake gives its events to; a dry run is printed as Snakemake prints it."""

    def __post_init__(self) -> None:
        """Choose the view by where standard error goes."""
        self.state = WorkflowState()
        in_terminal = os.isatty(2) and not self.common_settings.dryrun
        self.view = TerminalView(self.state) if in_terminal else LineView(self.state)
        self._closed = False

    def emit(self, record: LogRecord) -> None:
        """Show one event."""
        try:
            if self.common_settings.dryrun:
                self.view.show([self.format(record)])
            else:
                self.view.show(self.state.update(record))
                self.view.refresh(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """End the view with what failed and what to do."""
        if not self._closed:
            self._closed = True
            self.view.close()
            if self.state.advice:
                print(self.state.advice, file=sys.stderr, flush=True)
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """This handler replaces Snakemake's own on standard error."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Snakemake writes its log file itself."""
        return False

    @property
    def has_filter(self) -> bool:
        """Every event is needed, whatever --quiet says; a dry run uses Snakemake's filter."""
        return not self.common_settings.dryrun

    @property
    def has_formatter(self) -> bool:
        """A dry run uses Snakemake's formatter."""
        return not self.common_settings.dryrun

    @property
    def needs_rulegraph(self) -> bool:
        """The graph of rules is not shown."""
        return False
