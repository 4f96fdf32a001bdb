"""Models and embeddings in a user's own remote: a folder, S3 (moto) and ssh (OpenSSH), on this machine."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.repository import ROOT

RECORDED = (".dvcignore", ".dvc/config", ".dvc/.gitignore", "heavy/dvc.yaml")
MODEL = "results/train/embedded/seed~0/model.safetensors"
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")


def dvc(folder, *arguments, ok=True, **environment):
    run = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode == 0) == ok, run.stdout + run.stderr
    return run.stdout + run.stderr


def opted_in(folder: Path) -> Path:
    """Make a repository whose heavy stage is not ignored: the first of the three commands in docs/dvc.md."""
    for name in RECORDED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    ignored = folder / ".dvcignore"
    ignored.write_text(ignored.read_text().replace("/heavy/\n", ""))
    return folder


def with_models(folder: Path, *, size: int = 2_000_000) -> Path:
    """Add a model and an embedding of random bytes, and record them."""
    for name in (MODEL, "results/embed/embedded/seed~0.npz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.urandom(size))
    dvc(folder, "commit", "--force", "heavy/dvc.yaml:heavy")
    return folder


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def server(command: list[str], port: int):
    """Run a server that listens on ``port`` of this machine."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                yield
                return
            time.sleep(0.1)
        raise AssertionError(f"{command[0]} does not listen")
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def folder_remote(tmp_path):
    yield [["add", "heavy", str(tmp_path / "store")]]


@contextlib.contextmanager
def s3_remote(tmp_path):
    port = free_port()
    with server([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        import boto3

        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        url = f"http://127.0.0.1:{port}"
        boto3.client("s3", endpoint_url=url, **keys).create_bucket(Bucket="clipfair")
        yield [
            ["add", "heavy", "s3://clipfair/models"],
            ["modify", "heavy", "endpointurl", url],
            ["modify", "heavy", "access_key_id", "test"],
            ["modify", "heavy", "secret_access_key", "test"],
        ]


@contextlib.contextmanager
def ssh_remote(tmp_path):
    if SSHD is None or os.geteuid() != 0:
        pytest.skip("needs OpenSSH's sshd, and root to start it")
    keys = tmp_path / "ssh"
    keys.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)], check=True)
    shutil.copy(keys / "user.pub", keys / "authorized")
    Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    options = {
        "HostKey": keys / "host",
        "AuthorizedKeysFile": keys / "authorized",
        "ListenAddress": "127.0.0.1",
        "PidFile": "none",
        "StrictModes": "no",
        "PermitRootLogin": "yes",
        "Subsystem": "sftp internal-sftp",
    }
    flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    with server([SSHD, "-D", "-f", "/dev/null", "-p", str(port), *flags], port):
        yield [
            ["add", "heavy", f"ssh://{getpass.getuser()}@127.0.0.1:{port}{tmp_path / 'store'}"],
            ["modify", "heavy", "keyfile", str(keys / "user")],
        ]


REMOTES = {"folder": folder_remote, "s3": s3_remote, "ssh": ssh_remote}


@pytest.mark.parametrize("kind", REMOTES)
def test_models_are_pushed_to_a_users_own_remote_and_pulled(kind, tmp_path):
    with REMOTES[kind](tmp_path) as lines:
        ours = with_models(opted_in(tmp_path / "ours"))
        for line in lines:
            dvc(ours, "remote", line[0], "--local", *line[1:])
        dvc(ours, "push", "heavy/dvc.yaml")
        assert not (ours / "published-cache").exists()
        theirs = opted_in(tmp_path / "theirs")
        shutil.copy(ours / "heavy/dvc.lock", theirs / "heavy/dvc.lock")
        for line in lines:
            dvc(theirs, "remote", line[0], "--local", *line[1:])
        dvc(theirs, "pull", "heavy/dvc.yaml")
        assert (theirs / MODEL).read_bytes() == (ours / MODEL).read_bytes()
        # Pushing again sends nothing.
        assert "up to date" in dvc(ours, "push", "heavy/dvc.yaml")


def test_the_next_push_finishes_an_interrupted_one_and_leaves_no_incomplete_file(tmp_path):
    ours = with_models(opted_in(tmp_path / "ours"), size=100_000_000)
    store = tmp_path / "store"
    dvc(ours, "remote", "add", "--local", "heavy", str(store))
    push = subprocess.Popen([sys.executable, "-m", "dvc", "push", "heavy/dvc.yaml"], cwd=ours)
    end = time.monotonic() + 60
    while time.monotonic() < end and not any(path.is_file() for path in store.rglob("*")):
        time.sleep(0.005)
    push.send_signal(signal.SIGKILL)
    push.wait()
    dvc(ours, "push", "heavy/dvc.yaml")
    assert "up to date" in dvc(ours, "push", "heavy/dvc.yaml")
    theirs = opted_in(tmp_path / "theirs")
    shutil.copy(ours / "heavy/dvc.lock", theirs / "heavy/dvc.lock")
    dvc(theirs, "remote", "add", "--local", "heavy", str(store))
    dvc(theirs, "pull", "heavy/dvc.yaml")
    assert (theirs / MODEL).read_bytes() == (ours / MODEL).read_bytes()
