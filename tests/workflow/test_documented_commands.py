"""The commands that the documentation prints exist.

Every ``snakemake`` command in README.md, docs/ and benchmarks/ is given to Snakemake, in one copy of the
repository without data or results. Commands that differ in their targets alone are one call, a dry run of all
these targets. Options that are only printed without targets, for a whole study, are not planned, which would
take 23 s each for `paper` and `questions`: Snakemake reads them, and the Snakefile loads and checks the
study, but no graph of jobs is made.

Nothing is computed, and no output is compared with what the documentation says about it. Not called are
commands with placeholders (``<id>``), that need results (``--report``), that need the entries of an example
(test_extending.py has them), that unlock, or that write to a folder outside the copy. Of ``make`` and of
programs of the repository it is only checked that the target or the file exists.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from clipfair.plan.snakemake.requested_targets import requested_targets
from tests.repository import ROOT, copy_parts

PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/README.md")])
NOT_CALLED = ("<", "--report", "--unlock", "--directory", "my-people")
# How a plan is shown or run, not what is planned.
SHOWN = re.compile(r" (-n|--quiet( rules)?|--cores \w+)(?= |$)")


def printed(program):
    """Return the commands of all pages that begin with ``program``, in blocks and within sentences."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        found += re.findall(rf"^ {{4}}({program} [^`\n]*)$", text, flags=re.MULTILINE)
        found += [" ".join(one.split()) for one in re.findall(rf"`({program}\s[^`]*)`", text)]
    return list(dict.fromkeys(found))


def expand(word):
    """Expand the braces of a word, as a shell does."""
    match = re.fullmatch(r"(.*)\{(.*)\}(.*)", word)
    return [f"{match[1]}{part}{match[3]}" for part in match[2].split(",")] if match else [word]


def snakemake_calls():
    """Return options -> targets; none if they are only printed for a whole study."""
    calls = {}
    for command in printed("snakemake"):
        if not any(text in command for text in NOT_CALLED):
            words = shlex.split(SHOWN.sub("", command), comments=True)[1:]
            arguments = [part for word in words for part in expand(word)]
            targets = requested_targets(arguments)
            options = tuple(word for word in arguments if word not in (*targets, "--"))
            calls.setdefault(options, set()).update(targets)
    return {options: sorted(targets) for options, targets in calls.items()}


CALLS = snakemake_calls()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the repository without data or results; a reader's own configuration files change nothing."""
    copy = tmp_path_factory.mktemp("copy")
    copy_parts(copy)
    for name in ("slurm", "benchmarks/worlds"):
        shutil.copytree(ROOT / name, copy / name)
    for name in {word for options in CALLS for word in options if word.endswith(".yaml")}:
        if not (copy / name).exists():
            (copy / name).write_text("study: embedded\n", encoding="utf-8")
    return copy


def test_the_commands_are_found():
    studies = {word for options in CALLS for word in options if word.startswith("study=")}
    assert studies >= {"study=lab", "study=open", "study=paper", "study=questions"}
    assert "results/table5.csv" in {target for targets in CALLS.values() for target in targets}


@pytest.mark.parametrize("options", CALLS, ids=" ".join)
def test_snakemake_knows_options_study_and_targets(folder, options):
    targets = CALLS[options]
    how = ("--dry-run", "--quiet") if targets else ("--list-rules",)
    command = [sys.executable, "-m", "snakemake", *how, *options, "--", *targets]
    environment = {name: value for name, value in os.environ.items() if name != "CLIPFAIR_MIRROR"}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_targets_of_make_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[1].split()
    named = {re.match(r"make ([a-z][\w-]*)", command) for command in printed("make")}
    assert {match[1] for match in named if match} - set(known) == set()


def test_programs_exist():
    named = [re.search(r"(?:python|bash) (-m )?([\w./-]+)", command) for command in commands_of_programs()]
    missing = [name for is_module, name in map(re.Match.groups, named) if not exists(name, is_module)]
    assert missing == []


def commands_of_programs():
    """Return the commands that run a module or a file of the repository."""
    found = [command for program in (r"(?:\w+=\S+ )*python", "bash") for command in printed(program)]
    return [command for command in found if re.search(r"-m (clipfair|tests)|(benchmarks|envs)/", command)]


def exists(name, is_module):
    """Whether a module of the repository, or a file, exists."""
    if not is_module:
        return (ROOT / name).is_file()
    path = (ROOT if name.startswith("tests.") else ROOT / "src") / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
