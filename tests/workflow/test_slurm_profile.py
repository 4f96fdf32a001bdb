"""slurm/config.yaml: what every line is for, the rules that go to SLURM, what a site says."""

import re
import shutil

import pytest
import yaml

from tests.repository import ROOT

LINES = (ROOT / "slurm/config.yaml").read_text(encoding="utf-8").splitlines()
RULES = {
    name
    for path in ROOT.glob("workflow/rules/*.smk")
    for name in re.findall(r"^rule (\w+):", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
}
LOCAL = {
    name
    for path in ROOT.glob("workflow/rules/*.smk")
    for block in re.findall(
        r"^localrules:\n((?:    .*\n)+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    for name in re.findall(r"\w+", block)
}
ASKED = {
    line.strip().split(":")[0]
    for line in LINES[LINES.index("set-resources:") + 1 :]
    if re.match(r"  \w+:", line)
}


def settings():
    """Each setting with what is said of it: in its line, or right above."""
    for above, line in zip(["", *LINES], LINES, strict=False):
        if re.match(r"[a-z]|  \w+: ", line):
            yield line.split(":")[0].strip(), "#" in line or above.strip().startswith("#")


@pytest.mark.parametrize(("name", "said"), list(settings()))
def test_every_setting_says_what_it_is_for(name, said):
    assert said, f"{name} has no comment"


def test_every_rule_that_goes_to_slurm_says_what_it_asks_for_and_no_other_does():
    assert ASKED == RULES - LOCAL


@pytest.mark.parametrize("environment", [{}, {"CLIPFAIR_GPU_PARTITION": "gpu", "CLIPFAIR_ACCOUNT": "ours"}])
def test_a_site_says_its_values_in_the_environment(repository, environment):
    shutil.copytree(ROOT / "slurm", repository.folder / "slurm")
    run = repository.snakemake("--profile", "slurm", "--config", "study=embedded", "--dry-run", **environment)
    assert run.returncode == 0, run.stderr
    said = run.stdout + run.stderr
    assert ("slurm_account=ours" in said) == bool(environment)
    assert "mem_mb=3000" in said


def test_it_chooses_the_papers_study():
    profile = yaml.safe_load("\n".join(line for line in LINES if "?" not in line and "- import" not in line))
    assert profile["config"] == {"study": "paper"}
    assert profile["slurm-status-command"] == "squeue"
    assert "retries" in profile
