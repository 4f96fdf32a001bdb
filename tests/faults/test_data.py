"""Bad archives and files: nothing escapes, nothing is executed, nothing is left half-written; one line."""

import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from clipfair.annotate.image import load_annotator
from clipfair.core.errors import UserError
from clipfair.data.datasets import adult, cifar100
from clipfair.data.images import open_image
from clipfair.data.unpack import unpack


class Payload:
    """What runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch executed",)


def zip_of(name: str, content: bytes = b"x") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def tar_of(name: str, *, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        archive.addfile(member, io.BytesIO())
    return stream.getvalue()


def npz_of(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def unpacked(name: str):
    return lambda: unpack(name, "out")


def loaded(module):
    return lambda: module.load("in")


def annotator():
    return load_annotator("in/annotator.npz")


def opened(**example):
    return lambda: open_image({"key": "k1", **example}, folder="in")


OBJECTS = np.array([Payload()], dtype=object)

ZIP, TAR = unpacked("a.zip"), unpacked("a.tar")
CIFAR = "in/cifar-100-python/meta"
OUTSIDE = tar_of("x", kind=tarfile.SYMTYPE, target="/etc/passwd")
ATTACK = pickle.dumps(Payload(), 2)
ANNOTATOR = "in/annotator.npz"

# what is wrong | the files that are there | what is tried | what a person is told
FAULTS = [
    ("a zip that climbs out", {"a.zip": zip_of("../out2")}, ZIP, "outside its folder"),
    ("a zip with an absolute path", {"a.zip": zip_of("/etc/x")}, ZIP, "outside its folder"),
    ("a tar that climbs out", {"a.tar": tar_of("../../x")}, TAR, "outside the destination"),
    ("a link to outside", {"a.tar": OUTSIDE}, TAR, "absolute path; remove the archive"),
    ("a device", {"a.tar": tar_of("x", kind=tarfile.CHRTYPE)}, TAR, "special file"),
    ("a web page for an archive", {"a.zip": b"<html>log in</html>"}, ZIP, "a.zip: neither a zip nor a tar"),
    ("an archive cut short", {"a.zip": zip_of("x", bytes(9000))[:4000]}, ZIP, "a.zip: "),
    ("a pickle that runs a command", {CIFAR: ATTACK}, loaded(cifar100), "not one of CIFAR-100's files"),
    ("a pickle in an image's npz", {"in/a.npz": npz_of(slo_fundus=OBJECTS)}, opened(image="a.npz"), "a.npz"),
    ("a pickle in an annotator", {ANNOTATOR: npz_of(weights=OBJECTS)}, annotator, "not an image annotator"),
    ("an image that is text", {"in/a.jpg": b"hello"}, opened(image="a.jpg"), "not an image that opens"),
    (
        "an image cut short",
        {"in/a.png": b"\x89PNG\r\n\x1a\n"},
        opened(image="a.png"),
        "not an image that opens",
    ),
    ("an image that is gone", {"in/x": b""}, opened(image="a.png"), "no such image; fetch the dataset again"),
    ("a line too short", {"in/adult.data": b"39, Private\n"}, loaded(adult), "adult.data"),
    ("a table that is not text", {"in/adult.data": b"\xff\xfe\x00"}, loaded(adult), "adult.data"),
    ("a table that is gone", {"in/adult.test": b""}, loaded(adult), "adult.data"),
]


@pytest.mark.parametrize(
    ("files", "attempt", "told"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_bad_data_are_one_line_and_leave_nothing(tmp_path, monkeypatch, files, attempt, told):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    Path("out").mkdir()
    for name, content in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        attempt()
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {work / name for name in files}
