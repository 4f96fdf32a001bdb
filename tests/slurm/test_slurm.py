"""The workflow on a real SLURM of one node: `make test-slurm` starts it and runs these.

Jobs go through sbatch, the node runs them, squeue tells their state; only the GPUs are pretended.
"""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.repository import ROOT, Repository, read_tables

pytestmark = pytest.mark.skipif("SLURM_CONF" not in os.environ, reason="needs a cluster: make test-slurm")

# The profile as it is, asked for the small study, with the patience of a machine on which nothing queues.
COMMAND = [
    sys.executable, "-m", "snakemake", "--profile", "slurm", "--config", "study=embedded",
    "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "5",
]  # fmt: skip


class Cluster:
    """A copy of the repository, run with ``--profile slurm``."""

    def __init__(self, repository: Repository):
        self.folder = repository.folder
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
        assert self.start(*arguments).wait(timeout=400) == 0, self.log.read_text()

    def jobs(self, *states: str) -> list[tuple[str, str, str]]:
        """Id, state and rule of the jobs that were submitted from this folder; all states by default."""
        asked = ["squeue", "--noheader", "--states", ",".join(states) or "all", "--format=%i|%T|%k|%Z"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        lines = [line.split("|") for line in told.splitlines()]
        return [
            (job, state, comment.removeprefix("rule_").split("_wildcards_")[0])
            for job, state, comment, folder in lines
            if folder == str(self.folder)
        ]

    def wait_for_job(self, rule: str, *states: str) -> str:
        """The id of the first job of ``rule`` in one of ``states``, within two minutes."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            for job, _, of in self.jobs(*states):
                if of == rule:
                    return job
            time.sleep(0.3)
        raise AssertionError(f"no job of {rule} was {states}: {self.jobs()}\n{self.log.read_text()}")

    def tables(self) -> dict[str, bytes]:
        return read_tables(self.folder)


@pytest.fixture
def cluster(repository):
    return Cluster(repository)


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
    assert {state for _, state, _ in jobs} == {"COMPLETED"}
    # The three mitigations are one array: ids like 7_1.
    assert sorted(rule for _, _, rule in jobs) == ["evaluate_mitigation"] * 3 + ["prepare_dataset"]
    arrays = {job.split("_")[0] for job, _, rule in jobs if rule == "evaluate_mitigation"}
    assert len(arrays) == 1


def test_a_cancelled_job_is_submitted_again(cluster, undisturbed):
    run = cluster.start()
    subprocess.run(["scancel", cluster.wait_for_job("prepare_dataset", "RUNNING")], check=True)
    assert run.wait(timeout=300) == 0, cluster.log.read_text()
    assert cluster.tables() == undisturbed
    assert sorted(state for _, state, rule in cluster.jobs() if rule == "prepare_dataset") == [
        "CANCELLED",
        "COMPLETED",
    ]


def test_ctrl_c_leaves_no_job_behind(cluster):
    run = cluster.start()
    cluster.wait_for_job("prepare_dataset", "RUNNING", "PENDING")
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=60) == 1
    assert cluster.jobs("PENDING", "RUNNING") == []
    assert not list(cluster.folder.glob("data/prepared/**/table.parquet"))
