"""The workflow on a real SLURM of one node: `make test-slurm` starts it and runs these tests.

Jobs go through sbatch, the node runs them, and squeue reports their states; only the GPUs are simulated.
"""

import compileall
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

# The profile as it is, with the small study and short waits. `env` undoes that processes in the background of
# a script ignore Ctrl-C.
COMMAND = [
    "env", "--default-signal=INT",
    sys.executable, str(Path(__file__).with_name("impatient_snakemake.py")), "--profile", "slurm",
    "--config", "study=embedded", "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "2",
]  # fmt: skip

# A job of another user that needs the whole node.
URGENT = ["sbatch", "--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap", "sleep 2"]
BATCH = "dataset~embedded-web/balance~baseline/model~small/method~clip/attr~none/lam~0"
MODEL = f"results/train/embedded/{BATCH}/seed~0/model.safetensors"


class Job(NamedTuple):
    """A job in the output of squeue."""

    number: str
    state: str
    rule: str
    wildcards: str

    @property
    def gpus(self) -> str:
        """The numbers of its GPUs, as SLURM writes them."""
        command = ["scontrol", "show", "job", "-d", self.number]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return re.search(r"GRES=gpu:\d\(IDX:([\d,-]+)\)", output)[1]

    def cancel(self) -> None:
        subprocess.run(["scancel", self.number], check=True)

    def freeze(self) -> None:
        """Stop the processes of its steps; they do nothing until SLURM ends them."""
        subprocess.run(["scancel", "--signal=STOP", self.number], check=True)

    def start_now(self) -> None:
        """Do not wait the two minutes that SLURM gives a requeued job."""
        subprocess.run(["scontrol", "update", f"JobId={self.number}", "StartTime=now"], check=True)


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

    def jobs(self, *states: str) -> list[Job]:
        """The jobs that were submitted from this folder and are in one of ``states``; in any by default."""
        command = ["squeue", "--noheader", "--states", ",".join(states) or "all", "--format=%i|%T|%k|%Z"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        lines = [line.split("|") for line in output.splitlines()]
        return [
            Job(number, state, *comment.removeprefix("rule_").partition("_wildcards_")[::2])
            for number, state, comment, folder in lines
            if folder == str(self.folder)
        ]

    def states(self, rule: str) -> list[str]:
        """The states of all jobs of a rule, sorted."""
        return sorted(job.state for job in self.jobs() if job.rule == rule)

    def wait_for_jobs(self, rule: str, *states: str, count: int = 1) -> list[Job]:
        """Wait until ``count`` jobs of ``rule`` are in one of ``states`` at once, and return them."""

        def found():
            jobs = [job for job in self.jobs(*states) if job.rule == rule]
            return jobs if len(jobs) >= count else None

        return self.wait_for(found, f"{count} jobs of {rule} {states}")

    def running_training(self, seed: int) -> Job | None:
        """The running training of a seed."""
        jobs = [job for job in self.jobs("RUNNING") if job.rule == "train_model"]
        return next((job for job in jobs if job.wildcards.endswith(f"_{seed}")), None)

    def wait_for_checkpoint(self, seed: int, *, after: int = 0) -> int:
        """Wait for a checkpoint of a training after step ``after``, and return its step."""

        def found():
            names = self.folder.glob(f"scratch/**/seed~{seed}/checkpoints/step-*.pt")
            steps = [int(path.name.split("-")[1]) for path in names]
            return max(steps, default=0) if max(steps, default=0) > after else None

        return self.wait_for(found, f"a checkpoint of seed {seed} after step {after}")

    def wait_for(self, found, what: str):
        """Return the result of ``found`` as soon as it is not empty, within five minutes."""
        end = time.monotonic() + 300
        while time.monotonic() < end:
            if result := found():
                return result
            time.sleep(0.3)
        raise AssertionError(f"waited for {what}: {self.jobs()}\n{self.log.read_text()}")

    def tables(self) -> dict[str, bytes]:
        return read_tables(self.folder)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Bytecode of our package, which is copied with it: every job starts Python three times."""
    compileall.compile_dir(ROOT / "src", quiet=1)


# --- a study without trainings ---


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The tables of the same study, made without SLURM."""
    repository = Repository(tmp_path_factory.mktemp("undisturbed"))
    run = repository.snakemake()
    assert run.returncode == 0, run.stderr
    return read_tables(repository.folder)


def test_every_job_that_is_not_local_runs_on_slurm_and_a_cancelled_one_is_submitted_again(
    repository, undisturbed
):
    cluster = Cluster(repository.folder)
    run = cluster.start()
    cluster.wait_for_jobs("prepare_dataset", "RUNNING")[0].cancel()
    assert run.wait(timeout=600) == 0, cluster.log.read_text()
    assert cluster.tables() == undisturbed
    assert cluster.states("prepare_dataset") == ["CANCELLED", "COMPLETED"]
    assert cluster.states("evaluate_mitigation") == ["COMPLETED"] * 3
    assert {job.rule for job in cluster.jobs()} == {"prepare_dataset", "evaluate_mitigation"}
    # The three mitigations are one array, with numbers like 7_1.
    arrays = {job.number.split("_")[0] for job in cluster.jobs() if job.rule == "evaluate_mitigation"}
    assert len(arrays) == 1


# --- trainings ---


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The slice of the study that trains, made without SLURM."""
    repository = training_repository(tmp_path_factory.mktemp("trained"))
    run = repository.snakemake()
    assert run.returncode == 0, run.stderr
    return repository.folder


@pytest.fixture
def training(trained, tmp_path):
    """A copy of it with the outputs of everything before the trainings."""
    folder = Path(shutil.copytree(trained, tmp_path / "copy"))
    for name in ("train", "embed", "evaluate", "tables"):
        shutil.rmtree(folder / "results" / name)
    return Cluster(folder)


def test_trainings_that_are_stopped_in_every_way_lead_to_the_same_tables(training, trained):
    stop_with_ctrl_c(training)
    preempt_and_kill_the_scheduler(training)
    exceed_limits_and_cancel(training)
    assert training.tables() == read_tables(trained)
    assert (training.folder / MODEL).read_bytes() == (trained / MODEL).read_bytes()
    assert not list(training.folder.glob("scratch/**/*.pt"))


def stop_with_ctrl_c(training):
    """Ctrl-C cancels all jobs."""
    run = training.start()
    training.wait_for_checkpoint(0)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=60) == 1
    assert training.jobs("PENDING", "RUNNING") == []


def preempt_and_kill_the_scheduler(training):
    """SLURM requeues preempted jobs; a killed Snakemake leaves its jobs running."""
    run = training.start()
    jobs = training.wait_for_jobs("train_model", "RUNNING", count=2)
    subprocess.run(URGENT, cwd="/", check=True)
    for job in training.wait_for_jobs("train_model", "PENDING", count=2):
        job.start_now()
    restarted = training.wait_for_jobs("train_model", "RUNNING", count=2)
    assert {job.number for job in restarted} == {job.number for job in jobs}
    run.kill()
    run.wait()
    assert training.jobs("RUNNING") == restarted


def exceed_limits_and_cancel(training):
    """The next call cancels the jobs left behind. Each attempt of its own trainings then ends in another way.

    The first has too little memory. The second has too little time: seed 0 is asked to stop before its time
    is up, seed 1 does not react and is killed. The third attempt of seed 0 is cancelled.
    """
    # SLURM looks at time limits every 30 seconds, and may send the signal so much earlier.
    run = training.start(
        "--set-resources",
        "train_model:gpu=1",
        "train_model:mem_mb=400 if attempt == 1 else 3000",
        "train_model:runtime=30 if attempt != 2 else 2 if wildcards.seed == '0' else 1",
        "train_model:slurm_extra='--signal=TERM@70' if wildcards.seed == '0' else ''",
    )
    training.wait_for(lambda: "cancelled 2 jobs" in training.log.read_text(), "the jobs left behind")
    training.wait_for_jobs("train_model", "FAILED", "OUT_OF_MEMORY", count=2)
    jobs = training.wait_for_jobs("train_model", "RUNNING", count=2)
    assert sorted(job.gpus for job in jobs) == ["0", "1"]
    # A job is running before its step is, and only a step can be frozen: wait for its next checkpoint.
    training.wait_for_checkpoint(1, after=training.wait_for_checkpoint(1))
    training.running_training(1).freeze()
    training.wait_for_jobs("train_model", "FAILED", "OUT_OF_MEMORY", count=3)
    third = training.wait_for(lambda: training.running_training(0), "the third attempt of seed 0")
    reached = training.wait_for_checkpoint(0)
    third.cancel()
    training.wait_for_checkpoint(0, after=reached)
    assert run.wait(timeout=1800) == 0, training.log.read_text()
    states = training.states("train_model")
    assert states.count("COMPLETED") == 2
    assert "TIMEOUT" in states


def test_a_rule_with_two_gpus_starts_torchrun_with_two_ranks(training):
    config = training.folder / "config.yaml"
    config.write_text(config.read_text().replace("examples: 1000000", "examples: 64000"))
    run = training.start("--set-resources", "train_model:gpu=2", "--", MODEL)
    [job] = training.wait_for_jobs("train_model", "RUNNING")
    assert job.gpus == "0-1"
    assert run.wait(timeout=300) == 0, training.log.read_text()
    assert read_json((training.folder / MODEL).with_name("spec.json"))["hardware"]["processes"] == 2
