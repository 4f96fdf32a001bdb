import errno
import hashlib
import os
import signal
import subprocess
import sys

import pytest

from clipfair.core.errors import UserError
from clipfair.core.io import (
    atomic_folder,
    atomic_path,
    read_json,
    sha256_of,
    sha256_of_folder,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    write_text(target, "whole")
    with pytest.raises(RuntimeError, match="in the middle"), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("in the middle")
    assert target.read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def kill_while_writing(target):
    """Leave the temporary file of a writer that was killed; returns its process id."""
    code = (
        "import os, signal, sys\n"
        "from clipfair.core.io import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    writer = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert writer.returncode == -signal.SIGKILL


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    target = tmp_path / "weights [1].parquet"
    kill_while_writing(target)
    [left] = tmp_path.iterdir()
    assert left.name.endswith(".tmp")
    write_text(tmp_path / "another file", "whole")
    assert left.exists()
    write_text(target, "whole")
    assert {path.name for path in tmp_path.iterdir()} == {target.name, "another file"}


def test_files_of_writers_that_run_or_are_on_another_machine_stay(tmp_path):
    target = tmp_path / "file.txt"
    elsewhere = tmp_path / ".file.txt.another-machine.1.00000000.tmp"
    elsewhere.touch()
    with atomic_path(target) as first:
        first.write_text("first")
        with atomic_path(target) as second:
            second.write_text("second")
            assert first.read_text() == "first"
    assert target.read_text() == "first"
    assert elsewhere.exists()


@pytest.mark.parametrize("write", [atomic_path, atomic_folder])
def test_a_full_disk_is_named_by_the_target(tmp_path, write):
    with pytest.raises(OSError, match="No space") as caught, write(tmp_path / "target"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(tmp_path / "target")


def test_a_folder_appears_complete_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "folder"
    (target.parent / ".folder.partial").mkdir(parents=True)
    (target.parent / ".folder.partial" / "of a killed process").touch()
    with atomic_folder(target) as temporary:
        (temporary / "first").touch()
    with pytest.raises(RuntimeError, match="in the middle"), atomic_folder(target) as temporary:
        (temporary / "half").touch()
        raise RuntimeError("in the middle")
    assert [path.name for path in target.iterdir()] == ["first"]
    with atomic_folder(target) as temporary:
        (temporary / "second").touch()
    assert [path.name for path in target.iterdir()] == ["second"]
    assert [path.name for path in target.parent.iterdir()] == ["folder"]


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "metrics.json", {"auc": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_json_is_read_as_it_was_written(tmp_path):
    value = {"repeats": [{"seed": 0, "error": 14.25, "reason": None}]}
    write_json(tmp_path / "metrics.json", value)
    assert read_json(tmp_path / "metrics.json") == value


def test_sha256_is_of_the_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"clipfair\r\n")
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"clipfair\r\n").hexdigest()


@pytest.mark.parametrize("content", [b'{"a": 1', b"\xff\xfe", b""])
def test_a_damaged_json_is_one_line(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.json: not JSON .*; delete it") as caught:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


def test_the_digest_of_a_folder_depends_on_names_and_bytes_only(tmp_path):
    for name in ("one", "two"):
        write_text(tmp_path / name / "deep/file", "same")
        write_text(tmp_path / name / "other", "too")
    (tmp_path / "two/.snakemake_timestamp").touch()
    assert sha256_of_folder(tmp_path / "one") == sha256_of_folder(tmp_path / "two")
    digest = sha256_of_folder(tmp_path / "two")
    (tmp_path / "two/other").rename(tmp_path / "two/another")
    renamed = sha256_of_folder(tmp_path / "two")
    write_text(tmp_path / "two/another", "changed")
    assert len({digest, renamed, sha256_of_folder(tmp_path / "two")}) == 3
