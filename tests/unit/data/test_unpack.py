"""Unpacking: the files written are those packed, and none is outside the folder."""

import contextlib
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipfair.core.errors import UserError
from clipfair.data import unpack as module
from clipfair.data.unpack import unpack

OUTSIDE = [
    "../escaped",
    "/escaped",
    "a/../../escaped",
    "C:\\escaped",
    "c:escaped",
    "..\\escaped",
    "\\escaped",
]


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def write_tar(path, members, mode="w"):
    """``members``: (name, bytes) or a TarInfo for what is not a regular file."""
    with tarfile.open(path, mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return path


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() or path.is_symlink()
    }


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    return tmp_path / "inner"


WRITERS = {
    "zip": write_zip,
    "tar": write_tar,
    "tar.gz": lambda path, members: write_tar(path, members, "w:gz"),
    "tar.xz": lambda path, members: write_tar(path, members, "w:xz"),
}

PART = st.text(
    st.characters(categories=("L", "N"), include_characters=" ._-"), min_size=1, max_size=8
).filter(lambda part: set(part) != {"."})
FILES = st.dictionaries(
    st.lists(PART, min_size=1, max_size=3).map("/".join), st.binary(max_size=300), min_size=1, max_size=5
).filter(lambda files: not any(a != b and b.startswith(a + "/") for a in files for b in files))


@pytest.mark.parametrize("kind", WRITERS)
@given(files=FILES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(tmp_path_factory, kind, files):
    place = tmp_path_factory.mktemp("round")
    archive = WRITERS[kind](place / f"a.{kind}", files.items())
    (place / "out").mkdir()
    written = unpack(archive, place / "out")
    assert tree(place / "out") == files
    assert sorted(written) == sorted(files)


@given(name=st.text(st.sampled_from("ab./\\: \0"), min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_no_name_leads_outside(tmp_path_factory, name):
    place = tmp_path_factory.mktemp("names")
    (place / "out").mkdir()
    for archive in (write_zip(place / "a.zip", [(name, b"x")]), write_tar(place / "a.tar", [(name, b"x")])):
        with contextlib.suppress(UserError):
            unpack(archive, place / "out")
    assert {path.name for path in place.iterdir()} == {"a.zip", "a.tar", "out"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [*(("zip", name) for name in OUTSIDE), ("tar", "../escaped"), ("tar", "a/../../escaped")],
)
def test_a_path_outside_is_refused(folder, kind, name):
    archive = WRITERS[kind](folder.parent / f"bad.{kind}", [("good", b"1"), (name, b"2")])
    with pytest.raises(UserError, match=r"bad\.\w+: .*escaped.* outside"):
        unpack(archive, folder)
    assert {path.name for path in folder.parent.iterdir()} == {"inner", archive.name}


@pytest.mark.skipif(os.name == "nt", reason="backslashes and drives are part of a name on Unix only")
@pytest.mark.parametrize("name", ["/escaped", "C:\\escaped", "..\\escaped"])
def test_an_absolute_path_in_a_tar_is_written_inside(folder, name):
    unpack(write_tar(folder.parent / "odd.tar", [(name, b"1")]), folder)
    assert tree(folder) == {name.removeprefix("/"): b"1"}
    assert {path.name for path in folder.parent.iterdir()} == {"inner", "odd.tar"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/etc/passwd", "absolute path"),
        ("../secret", "outside the destination"),
        ("nothing", "link to nothing"),
        ("self", "link to nothing"),
    ],
)
def test_a_link_to_outside_or_nothing_is_refused(folder, kind, target, message):
    (folder.parent / "secret").write_bytes(b"secret")
    archive = write_tar(folder.parent / "bad.tar", [link("self", target, kind)])
    with pytest.raises(UserError, match=rf"bad\.tar: .*{message}.*; remove the archive"):
        unpack(archive, folder)
    assert tree(folder) == {}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_link_inside_becomes_a_copy(folder, kind):
    target = "real" if kind == tarfile.SYMTYPE else "a/real"
    archive = write_tar(folder.parent / "good.tar", [("a/real", b"content"), link("a/alias", target, kind)])
    unpack(archive, folder)
    assert tree(folder) == {"a/real": b"content", "a/alias": b"content"}
    assert not (folder / "a/alias").is_symlink()
    assert (folder / "a/alias").stat().st_nlink == 1


def test_nothing_is_written_through_a_link(folder):
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    archive = write_tar(folder.parent / "bad.tar", [link("door", str(elsewhere)), ("door/file", b"x")])
    with pytest.raises(UserError):
        unpack(archive, folder)
    assert tree(elsewhere) == {}


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device_is_refused(folder, kind):
    with pytest.raises(UserError, match=r"bad\.tar: 'dev' is a special file; remove the archive"):
        unpack(write_tar(folder.parent / "bad.tar", [link("dev", "", kind)]), folder)
    assert list(folder.iterdir()) == []


def test_link_in_a_zip_is_refused(folder):
    info = zipfile.ZipInfo("door")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(folder.parent / "bad.zip", "w") as archive:
        archive.writestr(info, "/etc")
    with pytest.raises(UserError, match="link or a device"):
        unpack(folder.parent / "bad.zip", folder)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_bomb_is_refused_before_it_is_written(folder, kind, monkeypatch):
    monkeypatch.setattr(module, "ALWAYS_ALLOWED", 10_000)
    archive = WRITERS[kind](folder.parent / f"bomb.{kind}", [("small", b"1"), ("large", bytes(3_000_000))])
    with pytest.raises(UserError, match="more than 100 times its size"):
        unpack(archive, folder)
    assert tree(folder) == {"small": b"1"}


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz", "tar"])
def test_a_truncated_archive_is_an_error_of_one_line(folder, kind):
    archive = WRITERS[kind](folder.parent / f"cut.{kind}", [("file", os.urandom(20_000))])
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 3])
    with pytest.raises(UserError, match=r"cut\..*(damaged|neither)") as error:
        unpack(archive, folder)
    assert "\n" not in str(error.value)


def test_flipped_bit_in_a_zip_is_found(folder):
    archive = write_zip(folder.parent / "bad.zip", [("file", bytes(range(256)) * 40)])
    content = bytearray(archive.read_bytes())
    content[60] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        unpack(archive, folder)


@pytest.mark.parametrize("content", [b"", b"<html>please log in</html>"])
def test_a_file_that_is_no_archive(folder, content):
    path = folder.parent / "page.zip"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"page\.zip: neither a zip nor a tar"):
        unpack(path, folder)


def test_tar_that_ends_with_a_zip_is_a_tar(folder, tmp_path):
    inner = write_zip(tmp_path / "inner.zip", [("x", b"x")]).read_bytes()
    unpack(write_tar(tmp_path / "outer.tar", [("inner.zip", inner)]), folder)
    assert tree(folder) == {"inner.zip": inner}


def test_name_that_is_file_and_folder(folder):
    with pytest.raises(UserError, match="damaged"):
        unpack(write_tar(folder.parent / "bad.tar", [("a", b"1"), ("a/b", b"2")]), folder)


def test_encrypted_zip_is_refused(folder):
    archive = write_zip(folder.parent / "locked.zip", [("file", b"x")])
    content = bytearray(archive.read_bytes())
    # The encryption flag, in the local header and in the central directory.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(UserError, match="encrypted"):
        unpack(archive, folder)
