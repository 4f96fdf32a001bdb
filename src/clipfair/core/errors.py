"""What a person sees: errors in one line, progress on long work, the log of a job."""

import contextlib
import errno
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm


class UserError(Exception):
    """Something a person can mend: what is wrong, where, what was expected, what to do.

    The message is one line. Entry points print it alone; a traceback is kept for our own bugs.
    """


# What the system refuses and a person can mend; any other OSError is a bug of ours.
MENDABLE = {
    errno.ENOSPC: "free some space and run again",
    errno.EDQUOT: "free some space and run again",
    errno.EACCES: "give yourself access and run again",
    errno.EPERM: "give yourself access and run again",
    errno.EROFS: "choose a folder that can be written to",
    errno.EEXIST: "a folder is needed there; name another",
    errno.ENOTDIR: "a folder is needed there; name another",
}


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """End the process with one line and exit status 1 on what a person can mend."""
    try:
        yield
    except (UserError, OSError) as error:
        print(f"clipfair: {_message(error)}", file=sys.stderr)
        sys.exit(1)


def _message(error: UserError | OSError) -> str:
    if isinstance(error, UserError):
        return str(error)
    if error.errno not in MENDABLE:
        raise error
    return f"{error.filename or 'the disk'}: {error.strerror}; {MENDABLE[error.errno]}"


@contextlib.contextmanager
def job_log(path: str) -> Iterator[None]:
    """Send a job's standard error to its log file; the line of an error also to the terminal."""
    log_path = Path(path)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    terminal = sys.stderr
    with log_path.open("w", buffering=1) as log, contextlib.redirect_stderr(log):
        try:
            yield
        except (UserError, OSError) as error:
            for stream in (log, terminal):
                print(f"clipfair: {_message(error)}", file=stream)
            sys.exit(1)


def progress(items: Iterable, *, total: int | None = None, unit: str = "it", what: str = "") -> tqdm:
    """A progress bar on the terminal, also from a job whose messages go to its log; else quiet."""
    terminal = sys.__stderr__
    quiet = terminal is None or not terminal.isatty()
    return tqdm(items, total=total, unit=unit, desc=what, file=terminal, disable=quiet, leave=False)
