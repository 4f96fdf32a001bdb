"""Folders and files outside the repository are checked before any job."""

import hashlib
import os

import pytest

from clipfair.plan.file_checks import check_own_weights, check_scratch

NOTHING_TRAINED = {"studies": {"embedded": {"tables": ["m4/table5"]}}}


@pytest.mark.parametrize("scratch", ["file", "file/below"])
def test_a_file_is_no_folder_for_checkpoints(tmp_path, plan_of, error_of, scratch):
    (tmp_path / "file").touch()
    folder = str(tmp_path / scratch)
    message = error_of(check_scratch, plan_of(overlay={"scratch": folder}))
    assert message == f"scratch: {folder}: {tmp_path}/file is a file; name a folder"
    check_scratch(plan_of(overlay={"scratch": folder, **NOTHING_TRAINED}))


def test_a_folder_of_checkpoints_that_cannot_be_written_to(tmp_path, plan_of, error_of, monkeypatch):
    plan = plan_of(overlay={"scratch": str(tmp_path / "new")})
    check_scratch(plan)
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    assert f"{tmp_path} cannot be written to; name another folder" in error_of(check_scratch, plan)


def test_a_home_folder_is_expanded(plan_of, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert plan_of(overlay={"scratch": "~/scratch"}).configuration.scratch == "/home/someone/scratch"


def test_local_weights_are_checked_until_they_have_been_read(tmp_path, plan_of, error_of, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.pt").write_bytes(b"weights")

    def plan(content):
        weights = {"file": str(tmp_path / "mine.pt"), "sha256": hashlib.sha256(content).hexdigest()}
        return plan_of(overlay={"models": {"small-32-r64": {"weights": weights}}})

    check_own_weights(plan(b"weights"))
    message = error_of(check_own_weights, plan(b"others"))
    assert f"models.small-32-r64.weights: {tmp_path}/mine.pt: sha256 is " in message
    (tmp_path / "data/weights").mkdir(parents=True)
    (tmp_path / "data/weights/small-32-r64.safetensors").touch()
    check_own_weights(plan(b"others"))
