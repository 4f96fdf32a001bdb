"""One live view of a whole workflow: ``python -m clipfair.plan.snakemake.progress_view <arguments>``.

On a terminal: a bar with the jobs done, those running and the time left; what Snakemake says of errors
stays above it, and the end says what to do. Elsewhere (a log, a pipe): its lines of progress and errors.
"""

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable

from tqdm import tqdm

START = re.compile(r"(?:local)?(?:rule|checkpoint) (\w+):$")
JOB = re.compile(r"    jobid: (\d+)$")
FINISHED = re.compile(r"Finished jobid: (\d+) ")
DONE = re.compile(r"(\d+) of (\d+) steps ")
ERROR = re.compile(r"Error in (?:rule|group) (\w+)")
LOG = re.compile(r"    log: ([^ ,]+)")
DATE = re.compile(r"\[\w{3} \w{3} +\d+ [\d:]+ \d{4}\]$")
# What Snakemake says of every run, between the jobs.
ROUTINE = re.compile(
    r"$|Assuming unrestricted|Using |Building DAG|Provided |Rules claiming more|Conda environments|Job stats:"
    r"|\w+ +(\d+|count)$|-{3,}|Select jobs|Execute \d|Complete log|Elapsed time|Shutting down|Exiting because"
    r"|SLURM run ID|Job \d+ has been submitted|Submitted array job|Cleaning up SLURM|No SLURM account"
)


class View:
    """What is known of a workflow from the lines that Snakemake has written so far."""

    def __init__(self):
        self.done = self.total = 0
        self.running: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self._rule = self._error = None

    def read(self, line: str) -> bool:
        """Take one line; whether a person should see it."""
        if match := START.match(line):
            self._rule, self._error = match[1], None
        elif match := ERROR.match(line):
            self._rule, self._error = None, match[1]
            self.failed.setdefault(match[1], "")
            return True
        elif match := DONE.match(line):
            self.done, self.total = int(match[1]), int(match[2])
        elif match := FINISHED.match(line):
            self.running.pop(match[1], None)
        elif line.startswith("    ") and self._error is None:
            if self._rule and (match := JOB.match(line)):
                self.running[match[1]] = self._rule
        elif line.startswith("    "):
            self._read_error(line)
            return True
        elif not DATE.match(line):
            return self._is_news(line)
        return False

    def _read_error(self, line: str) -> None:
        if match := LOG.match(line):
            self.failed[self._error] = match[1]
        if match := JOB.match(line):
            self.running.pop(match[1], None)

    def _is_news(self, line: str) -> bool:
        if match := re.match(r"total +(\d+)$", line):
            self.total = int(match[1])
        return not ROUTINE.match(line)

    @property
    def now(self) -> str:
        """What is running: ``train_model x2, fit_encoder``."""
        counts = Counter(self.running.values())
        return ", ".join(f"{rule} x{n}" if n > 1 else rule for rule, n in sorted(counts.items()))

    @property
    def advice(self) -> str:
        """What failed and what to do; empty if nothing did."""
        if not self.failed:
            return ""
        places = ", ".join(f"{rule} ({log})" if log else rule for rule, log in self.failed.items())
        return (
            f"clipfair: failed: {places}; mend what is said there and type the same again: what is done stays"
        )


def show(lines: Iterable[str]) -> View:
    """Draw the bar as lines come; what a person should see stays above it."""
    view = View()
    with tqdm(total=0, unit="job", dynamic_ncols=True, file=sys.stderr) as bar:
        for line in map(str.rstrip, lines):
            if view.read(line):
                bar.write(line, file=sys.stderr)
            bar.total = view.total
            bar.n = view.done
            bar.set_postfix_str(view.now)
    return view


def main(arguments: list[str]) -> int:
    """Run Snakemake with ``arguments``; its exit status."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    if not sys.stderr.isatty():
        return subprocess.run([*command, "--quiet", "host", "rules"], check=False).returncode
    command += ["--quiet", "host"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    ) as run:
        # Ctrl-C is for Snakemake, which ends its jobs first.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        view = show(run.stdout)
    if view.advice:
        print(view.advice, file=sys.stderr)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
