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


def signed_in_and_dead(**changes):
    subprocess.run(
        [sys.executable, "-c", "from clipfair.plan.snakemake.crash_recovery import sign_in; sign_in()"],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    write_json(crash_recovery.OWNER, read_json(crash_recovery.OWNER) | changes)


def squeue_says(folder, text):
    """A pretended SLURM whose scancel notes its arguments."""
    (folder / "bin").mkdir()
    for name, script in (("squeue", f"echo '{text}'"), ("scancel", 'echo "$@" > cancelled')):
        path = folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


def test_who_was_killed_is_taken_over_from(folder, capsys):
    signed_in_and_dead()
    squeue_says(folder, f"7 {folder}\n8 /elsewhere\n9 {folder}")
    crash_recovery.take_over()
    assert locks() == []
    assert (folder / "cancelled").read_text() == "7 9\n"
    assert not crash_recovery.OWNER.exists()
    assert capsys.readouterr().err == (
        "clipfair: the last workflow in this folder was killed: taking over, 2 jobs of it cancelled\n"
    )


def test_without_slurm_too(capsys):
    signed_in_and_dead()
    crash_recovery.take_over()
    assert locks() == []
    assert capsys.readouterr().err.endswith("was killed: taking over\n")


def test_who_is_at_work_is_left_alone():
    crash_recovery.sign_in()
    crash_recovery.take_over()
    assert locks() == ["0.input.lock"]


def test_another_machine_is_left_alone():
    signed_in_and_dead(host="another")
    crash_recovery.take_over()
    assert locks() == ["0.input.lock"]


def test_a_number_that_was_given_to_another_process_is_not_the_owner():
    signed_in_and_dead(process=os.getpid())
    crash_recovery.take_over()
    assert locks() == []


def test_a_lock_that_is_newer_is_somebody_elses():
    signed_in_and_dead()
    later = crash_recovery.OWNER.stat().st_mtime + 5
    os.utime(crash_recovery.LOCKS / "0.input.lock", (later, later))
    crash_recovery.take_over()
    assert locks() == ["0.input.lock"]


def test_after_an_orderly_end_nothing_is_taken_over(capsys):
    crash_recovery.sign_in()
    crash_recovery.sign_out()
    crash_recovery.take_over()
    assert locks() == ["0.input.lock"]
    assert capsys.readouterr().err == ""
