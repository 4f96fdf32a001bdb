"""The workflow on a real SLURM of one node: `make test-slurm` starts it and runs these.

Jobs go through sbatch, the node runs them, squeue tells their state; only the GPUs are pretended.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from clipfair.core.io import read_json
from tests.repository import ROOT, Repository, read_tables
from tests.slurm.slice import training_repository

pytestmark = pytest.mark.skipif("SLURM_CONF" not in os.environ, reason="needs a cluster: make test-slurm")

# The profile as it is, asked for the small study, with the patience of a machine on which nothing queues.
# What runs in the background of a script ignores Ctrl-C, and would hand that on.
COMMAND = [
    "env", "--default-signal=INT",
    sys.executable, "-m", "snakemake", "--profile", "slurm", "--config", "study=embedded",
    "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "5",
]  # fmt: skip


# A job of others that needs the whole node.
URGENT = ["sbatch", "--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap", "sleep 5"]
BATCH = "dataset~embedded-web/balance~baseline/model~small/method~clip/attr~none/lam~0"
MODEL = f"results/train/embedded/{BATCH}/seed~0/model.safetensors"


class Job(NamedTuple):
    """What squeue says of a job."""

    number: str
    state: str
    rule: str
    wildcards: str

    @property
    def gpus(self) -> str:
        """The numbers of the GPUs that it was given, as SLURM writes them."""
        asked = ["scontrol", "show", "job", "-d", self.number]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        return re.search(r"GRES=gpu:\d\(IDX:([\d,-]+)\)", told)[1]

    def cancel(self) -> None:
        subprocess.run(["scancel", self.number], check=True)


class Cluster:
    """A copy of the repository, run with ``--profile slurm``."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.log = self.folder / "run.log"
        shutil.copytree(ROOT / "slurm", self.folder / "slurm")

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start Snakemake in a process group of its own, as a terminal does."""
        with self.log.open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def run(self, *arguments: str) -> None:
        assert self.start(*arguments).wait(timeout=1800) == 0, self.log.read_text()

    def jobs(self, *states: str) -> list[Job]:
        """The jobs that were submitted from this folder and are in one of ``states``; in any by default."""
        asked = ["squeue", "--noheader", "--states", ",".join(states) or "all", "--format=%i|%T|%k|%Z"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        lines = [line.split("|") for line in told.splitlines()]
        return [
            Job(number, state, *comment.removeprefix("rule_").partition("_wildcards_")[::2])
            for number, state, comment, folder in lines
            if folder == str(self.folder)
        ]

    def states(self, rule: str) -> list[str]:
        """The states of all jobs of a rule, sorted."""
        return sorted(job.state for job in self.jobs() if job.rule == rule)

    def wait_for_jobs(self, rule: str, *states: str, count: int = 1) -> list[Job]:
        """So many jobs of ``rule`` that are in one of ``states`` at once."""

        def found():
            jobs = [job for job in self.jobs(*states) if job.rule == rule]
            return jobs if len(jobs) >= count else None

        return self.wait_for(found, f"{count} jobs of {rule} {states}")

    def wait_for_checkpoint(self, seed: int, *, after: int = 0) -> int:
        """The step of the newest checkpoint of a training, once it is beyond ``after``."""

        def found():
            names = self.folder.glob(f"scratch/**/seed~{seed}/checkpoints/step-*.pt")
            steps = [int(path.name.split("-")[1]) for path in names]
            return max(steps, default=0) if max(steps, default=0) > after else None

        return self.wait_for(found, f"a checkpoint of seed {seed} after step {after}")

    def wait_for(self, found, what: str):
        """What ``found`` returns as soon as it is not empty, within five minutes."""
        end = time.monotonic() + 300
        while time.monotonic() < end:
            if result := found():
                return result
            time.sleep(0.3)
        raise AssertionError(f"waited for {what}: {self.jobs()}\n{self.log.read_text()}")

    def tables(self) -> dict[str, bytes]:
        return read_tables(self.folder)


@pytest.fixture
def cluster(repository):
    return Cluster(repository.folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The tables of the same study, made without SLURM."""
    repository = Repository(tmp_path_factory.mktemp("undisturbed"))
    run = repository.snakemake()
    assert run.returncode == 0, run.stderr
    return read_tables(repository.folder)


def test_every_job_that_is_not_local_is_a_slurm_job_and_the_tables_are_the_same(cluster, undisturbed):
    cluster.run()
    assert cluster.tables() == undisturbed
    jobs = cluster.jobs()
    assert {job.state for job in jobs} == {"COMPLETED"}
    # The three mitigations are one array: ids like 7_1.
    assert sorted(job.rule for job in jobs) == ["evaluate_mitigation"] * 3 + ["prepare_dataset"]
    arrays = {job.number.split("_")[0] for job in jobs if job.rule == "evaluate_mitigation"}
    assert len(arrays) == 1


def test_a_job_that_is_no_training_is_cancelled_and_submitted_again(cluster, undisturbed):
    run = cluster.start()
    cluster.wait_for_jobs("prepare_dataset", "RUNNING")[0].cancel()
    assert run.wait(timeout=300) == 0, cluster.log.read_text()
    assert cluster.tables() == undisturbed
    assert cluster.states("prepare_dataset") == ["CANCELLED", "COMPLETED"]


# --- trainings ---


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The slice of the study that trains, made without SLURM and undisturbed."""
    repository = training_repository(tmp_path_factory.mktemp("trained"))
    run = repository.snakemake()
    assert run.returncode == 0, run.stderr
    return repository.folder


@pytest.fixture
def training(trained, tmp_path):
    """The same with everything that comes before the trainings, and nothing after."""
    folder = Path(shutil.copytree(trained, tmp_path / "copy"))
    for name in ("train", "embed", "evaluate", "tables"):
        shutil.rmtree(folder / "results" / name)
    return Cluster(folder)


def test_trainings_killed_by_memory_by_time_and_by_hand_go_on_to_the_same_tables(training, trained):
    """The first attempts have too little memory, the second too little time; one is cancelled before that."""
    run = training.start(
        "--set-resources",
        "train_model:gpu=1",
        "train_model:mem_mb=400 if attempt == 1 else 3000",
        "train_model:runtime=1 if attempt == 2 else 30",
    )
    training.wait_for_jobs("train_model", "FAILED", "OUT_OF_MEMORY", count=2)
    jobs = training.wait_for_jobs("train_model", "RUNNING", count=2)
    assert sorted(job.gpus for job in jobs) == ["0", "1"]
    reached = training.wait_for_checkpoint(0)
    [of_seed_0] = [job for job in jobs if job.wildcards.endswith("_0")]
    of_seed_0.cancel()
    training.wait_for_checkpoint(0, after=reached)
    assert run.wait(timeout=1800) == 0, training.log.read_text()
    states = training.states("train_model")
    assert states.count("COMPLETED") == 2
    assert {"CANCELLED", "TIMEOUT"} <= set(states)
    assert training.tables() == read_tables(trained)
    assert (training.folder / MODEL).read_bytes() == (trained / MODEL).read_bytes()
    assert not list(training.folder.glob("scratch/**/*.pt"))


def test_ctrl_c_and_a_killed_scheduler_are_picked_up_by_the_next_call_and_preemption_by_slurm(
    training, trained
):
    """SLURM lets a preempted job wait two minutes."""
    run = training.start()
    training.wait_for_checkpoint(0)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=60) == 1
    assert training.jobs("PENDING", "RUNNING") == []

    run = training.start()
    orphans = training.wait_for_jobs("train_model", "RUNNING", count=2)
    run.kill()
    run.wait()
    assert training.jobs("RUNNING") == orphans

    run = training.start()
    training.wait_for(
        lambda: "removed its lock and cancelled 2 jobs" in training.log.read_text(), "the orphans' end"
    )
    training.wait_for(lambda: not set(orphans) & set(training.jobs("RUNNING")), "the orphans' end")
    training.wait_for_jobs("train_model", "RUNNING", count=2)
    subprocess.run(URGENT, cwd="/", check=True)
    training.wait_for_jobs("train_model", "PENDING", count=2)
    assert run.wait(timeout=1800) == 0, training.log.read_text()
    assert training.tables() == read_tables(trained)


def test_a_rule_with_two_gpus_starts_torchrun_with_two_ranks(training):
    config = training.folder / "config.yaml"
    config.write_text(config.read_text().replace("examples: 3000000", "examples: 64000"))
    run = training.start("--set-resources", "train_model:gpu=2", "--", MODEL)
    [job] = training.wait_for_jobs("train_model", "RUNNING")
    assert job.gpus == "0-1"
    assert run.wait(timeout=300) == 0, training.log.read_text()
    assert read_json((training.folder / MODEL).with_name("spec.json"))["hardware"]["processes"] == 2
