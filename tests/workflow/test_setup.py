"""A missing prerequisite of the set-up is reported in one line, and no file is left behind."""

import os
import shutil
import subprocess

import pytest

from tests.repository import ROOT

OLD = "#!/bin/sh\ncase $1 in --version) echo Python 3.9.18;; *) exit 1;; esac\n"
NEW = OLD.replace("3.9.18", "3.14.0")
NO_VENV = "#!/bin/sh\ncase $2 in *ensurepip*) exit 1;; esac\n"


def set_up(tmp_path, python, path, folder=ROOT):
    run = subprocess.run(
        [shutil.which("bash"), "envs/setup.sh", python, str(tmp_path / "venv")],
        cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stdout == ""
    assert not (tmp_path / "venv").exists()
    [line] = run.stderr.splitlines()
    return line


def program(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_without_git(tmp_path):
    assert set_up(tmp_path, "python3", str(tmp_path)) == "clipfair: git was not found; install git"


def test_without_python(tmp_path):
    line = set_up(tmp_path, "no-such-python", os.environ["PATH"])
    assert line.startswith("clipfair: no-such-python was not found; install Python 3.11.4 to 3.13")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OLD, "is Python 3.9.18; Python 3.11.4 to 3.13 is needed"),
        (NEW, "is Python 3.14.0; Python 3.11.4 to 3.13 is needed"),
        (NO_VENV, "has no venv module; install it"),
    ],
)
def test_with_an_unsuitable_python(tmp_path, text, message):
    assert message in set_up(tmp_path, program(tmp_path, "python", text), os.environ["PATH"])


def test_the_environment_is_set_up_once_and_again_for_a_new_lock(tmp_path):
    (tmp_path / "envs").mkdir()
    for name in ("Makefile", "requirements.lock", "envs/setup.sh"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/.ready").touch()

    def plan():
        command = ["make", "--dry-run", "setup"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert "setup.sh" not in plan()
    ready = (tmp_path / ".venv/.ready").stat().st_mtime
    os.utime(tmp_path / "requirements.lock", (ready + 1, ready + 1))
    assert "setup.sh" in plan()


@pytest.mark.parametrize("folder", ["my clone", "o'clone", 'a "b"', "a$b", "a&b"])
def test_in_a_folder_that_the_shell_would_take_apart(tmp_path, folder):
    (tmp_path / folder / "envs").mkdir(parents=True)
    shutil.copy(ROOT / "envs/setup.sh", tmp_path / folder / "envs")
    line = set_up(tmp_path, "python3", os.environ["PATH"], folder=tmp_path / folder)
    assert line.startswith(f"clipfair: {tmp_path}/{folder}: the folder's path has a space, a quote")
