"""Faults of the machine and of its users, through the commands of the documentation."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from clipfair.core.io import atomic_path, reserve
from tests.repository import ROOT, Repository, read_tables, write_adult

BALANCE = [sys.executable, "-m", "clipfair.balance", "people.csv", "--sensitive", "sex", "--labels", "rich"]
RECORD = "results/tabular/embedded/dataset~adult/balance~none/model~mlp-128/method~baseline/attr~sex/lam~0"
# Root ignores file permissions unless it drops these capabilities.
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--"]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small tmpfs")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small study with results: one mitigation, one repeat."""
    repository = Repository(tmp_path_factory.mktemp("built"))
    grid = {"mitigations": ["baseline"], "seeds": [0]}
    repository.edit_yaml("config.yaml", lambda config: config["grids"]["table5"].update(grid))
    run = repository.snakemake()
    assert run.returncode == 0, run.stderr
    return repository


@pytest.fixture
def repository(built, tmp_path):
    """A copy of it for one test."""
    copy = object.__new__(Repository)
    copy.folder = Path(shutil.copytree(built.folder, tmp_path / "copy", symlinks=True))
    return copy


@pytest.fixture
def mount(tmp_path):
    """A function that mounts a tmpfs of a size in bytes, until the end of the test."""
    mounted = []

    def mount(size: int, *, read_only: bool = False) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        options = f"size={size},{'ro' if read_only else 'rw'}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def people(tmp_path):
    lines = [f"p{index},{('male', 'female', 'male')[index % 3]},{index % 2}" for index in range(30_000)]
    (tmp_path / "people.csv").write_text("\n".join(["key,sex,rich", *lines, ""]))
    return tmp_path


def balance(folder, out, *, before=()):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [*before, *BALANCE, "--key", "key", "--out", str(out)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def assert_one_line(run, message):
    """The error is the last line, and there is no traceback."""
    assert run.returncode != 0
    assert "Traceback" not in run.stdout + run.stderr
    assert message in run.stderr.strip().splitlines()[-1]


# --- the disk ---


@needs_root
def test_a_full_disk(people, mount):
    disk = mount(4096 * 20)
    assert_one_line(balance(people, disk / "out"), "No space left on device; free some space and run again")
    assert [path.name for path in disk.rglob("*") if path.is_file()] == []


@needs_root
def test_a_full_disk_under_an_array(mount):
    """The error of numpy has no number; a write to a memory map of a sparse file would kill the process."""
    disk = mount(4096 * 20)

    def save(path):
        with path.open("wb") as stream:
            np.save(stream, np.ones(10**6))

    def fill(path):
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(10**6,))
        reserve(path)

    for name, write in {"a.npy": save, "b.npy": fill}.items():
        with (
            pytest.raises(OSError, match="No space left on device") as caught,
            atomic_path(disk / name) as path,
        ):
            write(path)
        assert caught.value.filename == str(disk / name)
        assert caught.value.errno == errno.ENOSPC
    assert list(disk.iterdir()) == []


@needs_root
def test_a_disk_that_cannot_be_written_to(people, mount):
    disk = mount(4096, read_only=True)
    message = "Read-only file system; choose a folder that can be written to"
    assert_one_line(balance(people, disk / "out"), message)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
@pytest.mark.parametrize(("closed", "mode"), [("out", 0o500), ("people.csv", 0o000)])
def test_a_file_or_folder_without_permission(people, closed, mode):
    (people / "out").mkdir()
    (people / closed).chmod(mode)
    before = UNPRIVILEGED if os.geteuid() == 0 else []
    assert_one_line(balance(people, "out/deeper", before=before), "ermission denied")


@needs_root
def test_a_disk_that_fills_up_under_a_workflow_leaves_no_half_file(repository, mount):
    disk = mount(4096 * 30)
    for name in ("mirror", "data"):
        shutil.rmtree(repository.folder / name)
    (repository.folder / "data").symlink_to(disk)
    run = repository.snakemake(
        "--forcerun", "fetch_dataset", "--config", f"mirror={built_mirror(repository)}"
    )
    assert run.returncode != 0
    assert "No space left on device; free some space and run again" in run.stderr
    assert "Traceback" not in run.stderr
    assert [path for path in disk.rglob("*") if path.is_file() and path.suffix == ".parquet"] == []


def built_mirror(repository) -> Path:
    """A larger Adult than the disk has room for."""
    folder = repository.folder.parent / "mirror"
    write_adult(folder / "adult", rows=3000)
    return folder


# --- wrong arguments ---


TYPED = yaml.safe_load(Path(__file__).with_name("typed.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("fault", TYPED, ids=lambda fault: fault["fault"])
def test_a_wrong_argument_is_reported(repository, fault):
    run = repository.snakemake(*fault["arguments"].split())
    assert run.returncode != 0
    assert fault["message"] in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_a_config_that_is_not_yaml(repository):
    (repository.folder / "config.yaml").write_text("study: [\n")
    run = repository.snakemake()
    assert run.returncode != 0
    assert "clipfair: config.yaml, line 2, column 1: not valid YAML" in run.stderr
    assert "Traceback" not in run.stderr


# --- damaged results and wrong clocks ---


def test_a_record_cut_short_by_a_crash(repository):
    record = repository.folder / RECORD / "metrics.json"
    record.write_text(record.read_text()[:50])
    run = repository.snakemake()
    assert run.returncode != 0
    assert f"clipfair: {RECORD}/metrics.json: not JSON" in run.stderr
    assert "Traceback" not in run.stderr
    record.unlink()
    assert set(repository.planned()) >= {"evaluate_mitigation", "build_table"}


def test_a_clock_that_went_ahead(repository):
    """Time stamps in the future alone rerun nothing, since contents are compared."""
    stamp = time.time() + 400 * 86400
    for name in ("data/prepared/**/*", "results/tabular/**/*"):
        for path in repository.folder.glob(name):
            os.utime(path, (stamp, stamp))
    assert repository.planned() == {}


def test_a_clock_that_went_back(repository):
    """A result that seems older than its script is made again."""
    for path in repository.folder.glob("results/tabular/**/*"):
        os.utime(path, (0, 0))
    planned = repository.planned()
    assert planned["evaluate_mitigation"] == planned["build_table"] == 1
    assert "prepare_dataset" not in planned


# --- other workflows and killed jobs ---


def test_a_second_workflow_in_the_same_folder(repository):
    slow = repository.folder / "workflow/scripts/evaluate_mitigation.py"
    slow.write_text("import time\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    with subprocess.Popen(
        command,
        cwd=repository.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as first:
        end = time.monotonic() + 60
        while time.monotonic() < end and not list(repository.folder.glob(".snakemake/locks/*")):
            time.sleep(0.1)
        second = repository.snakemake()
        os.killpg(first.pid, signal.SIGKILL)
    assert second.returncode != 0
    assert "Directory cannot be locked" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_job_that_is_killed_is_made_again_to_the_same_bytes(repository):
    tables = read_tables(repository.folder)
    script = repository.folder / "workflow/scripts/evaluate_mitigation.py"
    whole = script.read_text()
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    run = repository.snakemake()
    assert run.returncode != 0
    assert "evaluate_mitigation" in run.stderr
    assert not (repository.folder / RECORD / "metrics.json").exists()
    script.write_text(whole)
    assert set(repository.planned()) >= {"evaluate_mitigation", "build_table"}
    assert repository.snakemake().returncode == 0
    assert read_tables(repository.folder) == tables


# --- remotes ---

LOCK = """schema: '2.0'
stages:
  workflow:
    cmd: x
    outs:
    - {path: results/table5.csv, hash: md5, md5: 0123456789abcdef0123456789abcdef, size: 1}
"""


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "ssh://127.0.0.1:9/clipfair",
            "ERROR: failed to connect to ssh (/clipfair) - [Errno 111] Connect call failed",
        ),
        ("/no/such/folder", "ERROR: failed to pull data from the cloud"),
    ],
    ids=["no server", "a missing folder"],
)
def test_a_remote_that_cannot_be_reached(tmp_path, url, message):
    for name in (".dvc/config", "dvc.yaml", ".dvcignore"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "dvc.lock").write_text(LOCK)
    environment = os.environ | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}

    def dvc(*arguments):
        command = [sys.executable, "-m", "dvc", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    dvc("config", "--local", "core.no_scm", "true")
    dvc("remote", "add", "--local", "--default", "mine", url)
    run = dvc("pull")
    assert run.returncode != 0
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "results/table5.csv").exists()
