"""Errors in one line, progress bars, and the log of a job."""

import contextlib
import difflib
import errno
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm


class UserError(Exception):
    """An error that the user can fix: what is wrong, where, what was expected, what to do.

    The message is one line. Entry points print it without a traceback; one means a bug of this package.
    """


def unknown(what: str, value: str, known: Iterable[str]) -> str:
    """``unknown dataset 'adlt' (did you mean 'adult'?); known: adult, credit-default``."""
    names = sorted(known)
    by_case = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(value.casefold(), by_case, n=1)
    hint = f" (did you mean {by_case[close[0]]!r}?)" if close else ""
    return f"unknown {what} {value!r}{hint}; known: {', '.join(names) or 'none'}"


# System errors that the user can fix, with the remedy. Any other OSError is a bug of this package.
REMEDIES = {
    errno.ENOSPC: "free some space and run again",
    errno.EDQUOT: "free some space and run again",
    errno.EACCES: "give yourself access and run again",
    errno.EPERM: "give yourself access and run again",
    errno.EROFS: "choose a folder that can be written to",
    errno.EEXIST: "a folder is needed there; name another",
    errno.ENOTDIR: "a folder is needed there; name another",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f) and run again",
    errno.EIO: "check the disk and run again",
}


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """On an error that the user can fix, print it in one line and exit with status 1."""
    try:
        yield
    except (UserError, OSError) as error:
        print(f"clipfair: {_message(error)}", file=sys.stderr)
        sys.exit(1)


def _message(error: UserError | OSError) -> str:
    if isinstance(error, UserError):
        return str(error)
    if error.errno not in REMEDIES:
        raise error
    # Of a copy or a rename the second file is the target, and the disk of the target is the full one.
    place = error.filename2 or error.filename or "the disk"
    return f"{place}: {error.strerror}; {REMEDIES[error.errno]}"


@contextlib.contextmanager
def job_log(path: str) -> Iterator[None]:
    """Write a job's standard error to its log file; print a user's error also to the terminal."""
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


def warn(message: str) -> None:
    """Print a warning, in a job to its log and to the terminal."""
    streams = [sys.stderr] if sys.stderr is sys.__stderr__ else [sys.stderr, sys.__stderr__]
    for stream in filter(None, streams):
        print(f"clipfair: warning: {message}", file=stream)


def progress(items: Iterable, *, total: int | None = None, unit: str = "it", what: str = "") -> tqdm:
    """Return ``items`` with a progress bar on the terminal, also in a job whose messages go to its log.

    Without a terminal nothing is printed.
    """
    terminal = sys.__stderr__
    quiet = terminal is None or not terminal.isatty()
    return tqdm(items, total=total, unit=unit, desc=what, file=terminal, disable=quiet, leave=False)
