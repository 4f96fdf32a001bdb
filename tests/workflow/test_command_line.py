"""Snakemake on the command line: plans of every study, mistakes in one line, missing data."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.repository import ROOT


@pytest.mark.parametrize("study", ["embedded", "lab", "open", "paper"])
def test_every_study_plans(repository, study):
    planned = repository.planned("--config", f"study={study}")
    assert planned["evaluate_mitigation"] == 3
    assert planned["fetch_dataset"] == planned["prepare_dataset"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("study=papre",), "--config: study: unknown study 'papre' (did you mean 'paper'?)"),
        (("sutdy=paper",), "--config: unknown setting 'sutdy' (did you mean 'study'?)"),
    ],
)
def test_a_mistake_is_one_line_before_any_job(repository, arguments, message):
    run = repository.snakemake("--config", *arguments)
    assert run.returncode != 0
    assert f"clipfair: {message}" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert not (repository.folder / "results").exists()


def test_without_network_and_mirror_the_rest_is_made_and_missing_data_are_reported_last(repository):
    """The mirror has Adult only, and nothing answers at the address of the other dataset."""

    def also_credit_from_nowhere(catalogue):
        for archive in catalogue["credit-default"]["archives"]:
            archive["url"] = "http://127.0.0.1:9/credit.zip"

    repository.edit_yaml("resources/datasets.yaml", also_credit_from_nowhere)
    repository.edit("config.yaml", "    - adult\n", "    - adult\n    - credit-default\n")
    run = repository.snakemake("--keep-going")
    assert run.returncode != 0
    metrics = list(repository.folder.glob("results/tabular/embedded/dataset~adult/**/metrics.json"))
    assert len(metrics) == 3
    assert not (repository.folder / "results/table5.csv").exists()
    end = run.stderr.splitlines()[-6:]
    [line] = [line for line in end if "credit-default" in line]
    for part in ("127.0.0.1:9/credit.zip", "CC BY 4.0", "mirror"):
        assert part in line
    assert not list(repository.folder.glob("data/raw/credit-default/*"))


@pytest.mark.parametrize("installed", [False, True])
def test_results_are_made_without_a_reachable_slurm(repository, tmp_path, installed):
    """Without SLURM's commands, and with commands that find no configuration."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    if installed:
        for name in ("sbatch", "scontrol", "squeue", "sacct", "scancel", "sinfo"):
            command = binaries / name
            command.write_text(
                "#!/bin/sh\necho 'fatal: Could not establish a configuration source' >&2\nexit 1\n"
            )
            command.chmod(0o755)
    else:
        for name in ("bash", "sh", "git", "env", "uname", "which"):
            (binaries / name).symlink_to(shutil.which(name))
    path = f"{binaries}:{os.environ['PATH']}" if installed else str(binaries)
    run = repository.snakemake("data", PATH=path)
    assert run.returncode == 0, run.stderr
    assert list(repository.folder.glob("data/prepared/adult/*/table.parquet"))


def test_a_damaged_file_is_reported_in_one_line_and_leaves_no_output(repository):
    data = repository.folder / "mirror/adult/adult.data"
    data.write_text(data.read_text().replace(", ", "; ", 1))
    run = repository.snakemake()
    assert run.returncode != 0
    assert re.search(r"clipfair: .*adult\.data.*line 1", run.stderr)
    assert not list(repository.folder.glob("data/prepared/**/table.parquet"))


@pytest.mark.parametrize(
    "command",
    [
        ["snakemake", "--lint"],
        ["snakefmt", "--check", "Snakefile", "workflow"],
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
    ],
)
def test_the_code_is_clean(command):
    command = [sys.executable, "-m", *command]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
