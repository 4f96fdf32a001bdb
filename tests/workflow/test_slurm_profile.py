"""slurm/config.yaml, and what the jobs of the study `paper` request from SLURM."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.repository import ROOT

LINES = (ROOT / "slurm/config.yaml").read_text(encoding="utf-8").splitlines()
SITE = {
    # As Python expressions: a function, a number, and another number.
    "CLIPFAIR_PARTITION": "all",
    "CLIPFAIR_GPU_PARTITION": "gpu-long",
    "CLIPFAIR_ACCOUNT": "2024-17",
    "CLIPFAIR_CONSTRAINT": "80-100",
}

FACES = "results/tables/paper/fairclip/faces.md"
STAYING = ("mem_mb", "slurm_partition", "slurm_account", "constraint", "slurm_extra")


def settings():
    """Pairs of each setting of the profile and True if a comment describes it."""
    for above, line in zip(["", *LINES], LINES, strict=False):
        if re.match(r"[a-z]|  \w+: ", line):
            yield line.split(":")[0].strip(), "#" in line or above.strip().startswith("#")


@pytest.mark.parametrize(("name", "described"), list(settings()))
def test_every_setting_has_a_comment(name, described):
    assert described, f"{name} has no comment"


def test_the_profile_chooses_the_papers_study_and_leaves_resources_to_the_rules():
    profile = yaml.safe_load("\n".join(line for line in LINES if "?" not in line and "- import" not in line))
    assert profile["config"] == {"study": "paper"}
    assert profile["slurm-status-command"] == "squeue"
    assert "retries" in profile
    assert not {"set-resources", "set-threads"} & set(profile)


# --- the jobs ---

RULE_FILES = (ROOT / "Snakefile", *ROOT.glob("workflow/rules/*.smk"))
RULE_TEXT = "\n".join(path.read_text(encoding="utf-8") for path in RULE_FILES)
LOCAL_RULES = {
    name
    for block in re.findall(r"^localrules:\n((?:    .*\n)+)", RULE_TEXT, flags=re.MULTILINE)
    for name in re.findall(r"\w+", block)
}


def requests(plan: str) -> list[tuple[str, dict[str, str]]]:
    """Rule and resources of every job of a dry run that goes to SLURM."""
    jobs = re.findall(r"^rule (\w+):\n(?:    .*\n)*?    resources: (.*)\n", plan, flags=re.MULTILINE)
    return [
        (rule, dict(pair.split("=", 1) for pair in asked.split(", ")))
        for rule, asked in jobs
        if rule not in LOCAL_RULES
    ]


def dry_run(folder, *arguments, **environment):
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--dry-run", *arguments]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return requests(run.stdout + run.stderr)


@pytest.fixture(scope="module")
def paper(clean_environment):
    """The requests of every job of the study `paper` on a site that names everything."""
    return dry_run(ROOT, **clean_environment, **SITE)


@pytest.fixture(scope="module")
def clean_environment():
    return {name: value for name, value in os.environ.items() if name not in SITE}


def test_jobs_with_gpus_go_to_the_gpu_partition_and_all_others_do_not(paper):
    with_gpus = [(rule, asked) for rule, asked in paper if int(asked.get("gpu", 0))]
    assert {rule for rule, _ in with_gpus} == {
        "annotate_shard",
        "embed_split",
        "fit_annotator",
        "fit_probe",
        "search_settings",
        "train_model",
    }
    assert {(asked["slurm_partition"], asked["constraint"]) for _, asked in with_gpus} == {
        ("gpu-long", "80-100")
    }
    others = [asked for rule, asked in paper if not int(asked.get("gpu", 0))]
    assert {asked.get("slurm_partition") for asked in others} == {"all"}
    assert not any("constraint" in asked for asked in others)


def test_every_job_names_its_memory_its_time_and_the_account(paper):
    assert all({"mem_mb", "runtime"} <= set(asked) for _, asked in paper)
    assert {asked["slurm_account"] for _, asked in paper} == {"2024-17"}


def test_jobs_with_checkpoints_are_signalled_before_their_time_is_up(paper):
    signalled = {rule for rule, asked in paper if asked.get("slurm_extra") == "--signal=TERM@120"}
    assert signalled == {"train_model", "search_settings"}


def test_a_resource_of_a_rule_is_overridden_and_its_others_stay(clean_environment):
    """Partition, constraint and signal, without which a training is killed without a checkpoint."""
    arguments = ("--set-resources", "train_model:mem_mb=12345", "--", FACES)
    asked = dry_run(ROOT, *arguments, **clean_environment, **SITE)
    [training] = {tuple(job[name] for name in STAYING) for rule, job in asked if rule == "train_model"}
    assert training == ("12345", "gpu-long", "2024-17", "80-100", "--signal=TERM@120")


def test_without_a_site_nothing_is_asked_of_slurm_and_one_resource_can_be_overridden(
    repository, clean_environment
):
    shutil.copytree(ROOT / "slurm", repository.folder / "slurm")
    arguments = ("--config", "study=embedded", "--set-resources", "evaluate_mitigation:mem_mb=5000")
    asked = dict(dry_run(repository.folder, *arguments, **clean_environment))
    assert not any({"slurm_partition", "slurm_account", "constraint"} & set(job) for job in asked.values())
    assert asked["evaluate_mitigation"]["mem_mb"] == "5000"
    assert asked["evaluate_mitigation"]["runtime"] == "60"
    assert asked["prepare_dataset"]["mem_mb"] == "4000"
