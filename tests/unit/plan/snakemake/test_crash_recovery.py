import os
import subprocess
import sys

import pytest

from clipfair.core.io import read_json, write_json
from clipfair.plan.snakemake import crash_recovery


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    crash_recovery.LOCKS.mkdir(parents=True)
    (crash_recovery.LOCKS / "0.input.lock").touch()
    return tmp_path


def locks():
    return [path.name for path in crash_recovery.LOCKS.iterdir()]


def record_a_dead_owner(**changes):
    """The record of a process that has ended, with some values changed."""
    subprocess.run(
        [
            sys.executable,
            "-c",
            "from clipfair.plan.snakemake.crash_recovery import record_owner; record_owner()",
        ],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    write_json(crash_recovery.OWNER, read_json(crash_recovery.OWNER) | changes)


def pretend_slurm(folder, text):
    """A simulated SLURM whose queue is ``text`` and whose scancel writes its arguments to a file."""
    (folder / "bin").mkdir()
    for name, script in (("squeue", f"echo '{text}'"), ("scancel", 'echo "$@" > cancelled')):
        path = folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


def test_after_a_killed_workflow_its_lock_and_its_jobs_are_removed(folder, capsys):
    record_a_dead_owner()
    pretend_slurm(folder, f"7 {folder}\n8 /elsewhere\n9 {folder}")
    crash_recovery.clear_after_crash()
    assert locks() == []
    assert (folder / "cancelled").read_text() == "7 9\n"
    assert not crash_recovery.OWNER.exists()
    assert capsys.readouterr().err == (
        "clipfair: the last workflow in this folder was killed: removed its lock and cancelled 2 jobs\n"
    )


def test_without_slurm_the_lock_is_removed(capsys):
    record_a_dead_owner()
    crash_recovery.clear_after_crash()
    assert locks() == []
    assert capsys.readouterr().err.endswith("was killed: removed its lock\n")


def test_a_running_workflow_is_left_alone():
    crash_recovery.record_owner()
    crash_recovery.clear_after_crash()
    assert locks() == ["0.input.lock"]


def test_a_workflow_of_another_machine_is_left_alone():
    record_a_dead_owner(host="another")
    crash_recovery.clear_after_crash()
    assert locks() == ["0.input.lock"]


def test_a_later_process_with_the_same_number_is_not_the_owner():
    record_a_dead_owner(process=os.getpid())
    crash_recovery.clear_after_crash()
    assert locks() == []


def test_a_newer_lock_belongs_to_another_workflow():
    record_a_dead_owner()
    later = crash_recovery.OWNER.stat().st_mtime + 5
    os.utime(crash_recovery.LOCKS / "0.input.lock", (later, later))
    crash_recovery.clear_after_crash()
    assert locks() == ["0.input.lock"]


def test_after_a_normal_end_nothing_is_removed(capsys):
    crash_recovery.record_owner()
    crash_recovery.remove_owner()
    crash_recovery.clear_after_crash()
    assert locks() == ["0.input.lock"]
    assert capsys.readouterr().err == ""
