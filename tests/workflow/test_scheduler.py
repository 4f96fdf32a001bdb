"""Snakemake's scheduler selects jobs when one has finished, by their priority."""

import subprocess
import sys

import yaml

from tests.repository import ROOT

SNAKEFILE = """
from clipfair.plan.snakemake.scheduler import schedule_after_jobs_only

selections = []


onstart:
    schedule_after_jobs_only(workflow.scheduler)
    select = workflow.scheduler.job_selector
    workflow.scheduler.job_selector = lambda jobs: selections.append(len(jobs)) or select(jobs)


onsuccess:
    print("selections:", selections)


rule all:
    input:
        expand("{number}.txt", number=range(4)),


rule wait:
    output:
        "{number}.txt",
    priority: lambda wildcards: int(wildcards.number) == 2
    shell:
        "sleep 1.1; echo {wildcards.number} >> order; touch {output}"
"""


def test_jobs_are_selected_once_per_finished_job_and_by_priority(tmp_path):
    profile = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text(encoding="utf-8"))
    (tmp_path / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--scheduler", profile["scheduler"]]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "selections: [4, 3, 2, 1, 1]" in run.stdout + run.stderr
    assert (tmp_path / "order").read_text(encoding="utf-8").startswith("2\n")
