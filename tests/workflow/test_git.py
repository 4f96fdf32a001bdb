"""A clone has the bytes of the repository, whatever git is set to do with ends of lines."""

import shutil
import subprocess

import pytest

from tests.repository import ROOT

FILES = {"published-cache/files/md5/0a/1b": b"a,b\n1,2\n", "table.csv": b"a,b\r\n1,2\n", "run.sh": b"true\n"}


@pytest.mark.parametrize("autocrlf", ["true", "input", "false"])
def test_a_clone_has_the_same_bytes(tmp_path, autocrlf):
    original, clone = tmp_path / "original", tmp_path / "clone"
    for name, content in FILES.items():
        (original / name).parent.mkdir(parents=True, exist_ok=True)
        (original / name).write_bytes(content)
    shutil.copy(ROOT / ".gitattributes", original)
    git = ["git", "-c", f"core.autocrlf={autocrlf}", "-c", "user.name=t", "-c", "user.email=t@t"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "files"]):
        subprocess.run([*git, *command], cwd=original, check=True)
    subprocess.run([*git, "clone", "-q", "-c", f"core.autocrlf={autocrlf}", original, clone], check=True)
    assert {name: (clone / name).read_bytes() for name in FILES} == FILES
