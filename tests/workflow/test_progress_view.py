"""The progress view on small real runs of Snakemake, in a pipe and in a pseudo terminal."""

import contextlib
import os
import pty
import subprocess
import sys

import pytest
import yaml

from tests.repository import ROOT

SNAKEFILE = """
rule all:
    input: "out~0", "out~1"

rule make_file:
    output: "out~{number}"
    log: "logs/{number}.log"
    shell: "[ ! -t 2 ] && echo no terminal >&2; sh job~{wildcards.number} 2> {log}"
"""
FAILS = "echo the reason >&2\nexit 1\n"
FAILS_ONCE = "[ -e tried ] && touch out~1 || { touch tried; exit 1; }\n"
ADVICE = (
    "clipfair: failed: make_file (logs/1.log); fix what the log says and run the same command again: "
    "finished jobs are kept"
)


@pytest.fixture
def workflow(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "job~0").write_text("touch out~0\n")
    return tmp_path


def command(*arguments):
    return [sys.executable, "-m", "snakemake", "--logger", "clipfair", "--cores", "1", *arguments]


def run_in_pipe(folder, *arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(
        command(*arguments),
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return run.returncode, run.stdout


def run_in_terminal(folder, *arguments):
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "TERM": "xterm", "COLUMNS": "200"}
    output = b""
    with subprocess.Popen(
        command(*arguments), cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as run:
        os.close(theirs)
        # Linux reports the end of a terminal's output as an error.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 1 << 16):
                output += chunk
    os.close(ours)
    return run.returncode, output.decode()


def test_in_a_pipe_there_is_a_short_line_for_every_step_and_advice_at_the_end(workflow):
    (workflow / "job~1").write_text(FAILS)
    status, output = run_in_pipe(workflow, "--keep-going")
    assert status == 1
    assert "\x1b" not in output
    lines = output.splitlines()
    assert sum(line.startswith("started: make_file") for line in lines) == 2
    assert "finished: 1 of 3 jobs" in lines
    [failed] = [index for index, line in enumerate(lines) if line.startswith("failed: make_file (job")]
    assert lines[failed].endswith("; the end of logs/1.log:")
    assert lines[failed + 1] == "    the reason"
    assert lines[-1] == ADVICE


def test_in_a_terminal_a_bar_shows_the_jobs_and_the_rest_stays_above_it(workflow):
    (workflow / "job~1").write_text(FAILS)
    status, output = run_in_terminal(workflow, "--keep-going")
    assert status == 1
    for part in ("1/3", "jobs", "left", "make_file", "the end of logs/1.log:", "    the reason"):
        assert part in output
    assert output.splitlines()[-1].endswith(ADVICE)


def test_jobs_do_not_see_the_terminal_on_which_the_bar_is_drawn(workflow):
    (workflow / "job~1").write_text("touch out~1\n")
    status, output = run_in_terminal(workflow)
    assert status == 0
    assert output.count("no terminal") == 2
    assert "3/3" in output
    assert "clipfair: failed" not in output


def test_an_error_before_the_first_job_is_shown_in_a_terminal(workflow):
    (workflow / "Snakefile").write_text("import sys\nprint('wrong key', file=sys.stderr)\nsys.exit(1)\n")
    status, output = run_in_terminal(workflow)
    assert status == 1
    assert "wrong key" in output


def test_a_job_that_succeeds_at_its_second_attempt_has_not_failed(workflow):
    (workflow / "job~1").write_text(FAILS_ONCE)
    status, output = run_in_pipe(workflow, "--retries", "1")
    assert status == 0
    assert "failed: make_file" in output
    assert "clipfair: failed" not in output


def test_a_dry_run_is_snakemakes_own(workflow):
    status, output = run_in_terminal(workflow, "--dry-run")
    assert status == 0
    assert "output: out~0" in output
    assert "This was a dry-run" in output


def test_the_plugin_leaves_it_to_the_snakefile_which_copy_of_the_package_is_imported():
    code = "import sys, snakemake_logger_plugin_clipfair; sys.exit('clipfair' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_a_plain_call_of_snakemake_does_not_need_the_plugin():
    profile = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text(encoding="utf-8"))
    assert "logger" not in profile
