"""Fetching from a local server that fails in every way a server can."""

import errno
import hashlib
import io
import json
import os
import socket
import stat
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from clipfair.core.catalogue import Archive, Dataset, File, Layout, load_catalogue
from clipfair.core.errors import UserError
from clipfair.data.fetch import RetryPolicy, fetch_dataset, in_mirror
from clipfair.data.instructions import missing_line

ROOT = Path(__file__).parents[3]
MIB = 2**20
QUICK = RetryPolicy(attempts=3, wait=0.0, timeout=5.0)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def zipped(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            # A fixed date: the same files give the same bytes.
            archive.writestr(zipfile.ZipInfo(name.replace("_", ".")), content)
    return stream.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Serves ``server.content``; each request takes the next word of ``server.script``, then "ok".

    Words: ok; cut (the stream ends after 60 % of what is due); whole (Range is ignored);
    a status as digits; stall (headers, then silence).
    """

    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        word = server.script.pop(0) if server.script else "ok"
        if word.isdigit():
            self.send_error(int(word))
            return
        start = 0
        if self.headers.get("Range") and word != "whole":
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        body = server.content[start:]
        if start and not body:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            total = len(server.content)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if word == "stall":
            server.released.wait(20)
        elif word == "cut":
            self.wfile.write(body[: int(0.6 * len(body))])
        else:
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.content, running.script, running.asked = b"", [], []
        running.released = threading.Event()
        running.url = f"http://127.0.0.1:{running.server_port}/tiny.zip"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def tiny(server):
    """A small open dataset on the server, and the content of its archive."""
    server.content = zipped(tiny_csv=b"1,2\n")
    return dataset_of(server)


@pytest.fixture
def large(server):
    """A dataset of several MiB of noise that is not unpacked."""
    server.content = np.random.default_rng(0).bytes(5 * MIB)
    archive = Archive("noise.bin", server.url, sha256(server.content), size=len(server.content), unpack=False)
    return replace(dataset_of(server), archives=(archive,), layouts=())


@pytest.fixture
def fetch(tmp_path):
    """Fetch into fixed folders below tmp_path; returns the folder."""

    def run(dataset, mirror=None, retry=QUICK, subset=False):
        out = tmp_path / "raw" / dataset.id / dataset.version
        fetch_dataset(
            dataset,
            mirror=mirror,
            partial_dir=str(tmp_path / "partial"),
            out_dir=str(out),
            subset=subset,
            retry=retry,
        )
        return out

    return run


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror"
    (folder / "tiny").mkdir(parents=True)
    return folder


def dataset_of(server):
    digest = sha256(server.content)
    return Dataset(
        id="tiny",
        title="Tiny data",
        kind="tabular",
        version="1",
        access="open",
        licence="CC0",
        citation="Nobody",
        homepage="https://example.org",
        archives=(Archive("tiny.zip", server.url, digest, size=len(server.content)),),
        layouts=(
            Layout("original", (File("tiny.csv", sha256(b"1,2\n"), 4),)),
            Layout("other", (File("tiny.tsv"), File("images/"))),
        ),
    )


def left_behind(tmp_path):
    """Everything that fetching left behind, except the mirror."""
    return sorted(
        path.relative_to(tmp_path).as_posix()
        for path in tmp_path.rglob("*")
        if path.is_file() and "mirror" not in path.parts
    )


def error_of(fetch, *args, **kwargs):
    with pytest.raises(UserError) as error:
        fetch(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- complete and verified ------------------------------------------------------------------------------


def test_download(tmp_path, fetch, tiny, server):
    out = fetch(tiny)
    assert (out / "tiny.csv").read_bytes() == b"1,2\n"
    assert json.loads((out / "manifest.json").read_text()) == {
        "dataset": "tiny",
        "version": "1",
        "layout": "original",
        "files": {"tiny.csv": {"size": 4, "sha256": sha256(b"1,2\n"), "source": server.url}},
    }
    assert left_behind(tmp_path) == ["raw/tiny/1/manifest.json", "raw/tiny/1/tiny.csv"]


def test_manifest_is_reproducible_and_names_no_folder(tmp_path, fetch, tiny, mirror):
    (mirror / "tiny/tiny.csv").write_bytes(b"1,2\n")
    first = (fetch(tiny, str(mirror)) / "manifest.json").read_bytes()
    second = (fetch(tiny, str(mirror)) / "manifest.json").read_bytes()
    assert first == second
    assert str(tmp_path).encode() not in first
    assert json.loads(first)["files"]["tiny.csv"]["source"] == "mirror"


def test_md5_is_checked_if_no_sha256_is_known(tmp_path, fetch, tiny, server):
    good = hashlib.md5(server.content, usedforsecurity=False).hexdigest()
    archive = replace(tiny.archives[0], sha256=None, md5=good)
    assert fetch(replace(tiny, archives=(archive,))).is_dir()
    wrong = replace(archive, md5="0" * 32)
    assert f"md5 is {good}, expected {'0' * 32}" in error_of(fetch, replace(tiny, archives=(wrong,)))


def test_fetching_again_replaces_the_folder(fetch, tiny):
    stale = fetch(tiny) / "stale.csv"
    stale.write_text("old")
    fetch(tiny)
    assert not stale.exists()


def test_an_existing_empty_folder_is_replaced(tmp_path, fetch, tiny):
    (tmp_path / "raw/tiny/1").mkdir(parents=True)
    assert (fetch(tiny) / "tiny.csv").exists()


# --- resuming ----------------------------------------------------------------------------------------


def test_a_broken_stream_is_resumed_where_it_broke(fetch, large, server):
    server.script = ["cut", "cut"]
    # Two attempts suffice for two breaks: progress resets the count.
    assert (fetch(large, retry=replace(QUICK, attempts=2)) / "noise.bin").read_bytes() == server.content
    # 60 % of 5 MiB is 3 MiB, 60 % of the other 2 is one more whole MiB.
    assert server.asked == [None, f"bytes={3 * MIB}-", f"bytes={4 * MIB}-"]


def test_a_later_call_resumes(tmp_path, fetch, large, server):
    server.script = ["cut", "503", "503", "503"]
    assert "503" in error_of(fetch, large)
    assert [Path(name).parent.name for name in left_behind(tmp_path)] == ["partial"]
    server.asked.clear()
    assert (fetch(large) / "noise.bin").read_bytes() == server.content
    assert server.asked == [f"bytes={3 * MIB}-"]
    assert left_behind(tmp_path) == ["raw/tiny/1/manifest.json", "raw/tiny/1/noise.bin"]


def test_a_server_without_ranges_starts_over(fetch, large, server):
    server.script = ["cut", "whole"]
    assert (fetch(large) / "noise.bin").read_bytes() == server.content
    assert server.asked[1] == f"bytes={3 * MIB}-"


def test_a_finished_download_is_not_repeated(tmp_path, fetch, large, server):
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / f"{large.archives[0].sha256}.part").write_bytes(server.content)
    fetch(large)
    assert server.asked == []


def test_a_finished_download_of_unknown_size(tmp_path, fetch, large, server):
    archive = replace(large.archives[0], size=None)
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / f"{archive.sha256}.part").write_bytes(server.content)
    assert (fetch(replace(large, archives=(archive,))) / "noise.bin").read_bytes() == server.content
    assert server.asked == [f"bytes={5 * MIB}-"]


def test_without_a_checksum_no_earlier_download_is_resumed(tmp_path, fetch, large, server):
    archive = replace(large.archives[0], size=None, sha256=None)
    server.script = ["cut", "503", "503", "503"]
    error_of(fetch, replace(large, archives=(archive,)))
    server.asked.clear()
    assert (fetch(replace(large, archives=(archive,))) / "noise.bin").read_bytes() == server.content
    assert server.asked == [None]


def test_a_download_without_progress_fails(fetch, large, server):
    server.content = server.content[:100]
    server.script = ["cut"] * 10
    assert "cannot download from 127.0.0.1" in error_of(fetch, large)
    assert len(server.asked) == QUICK.attempts


def test_a_timeout_is_retried(fetch, tiny, server):
    server.script = ["stall"]
    assert fetch(tiny, retry=replace(QUICK, timeout=0.2)).is_dir()
    assert len(server.asked) == 2


def test_a_busy_server_is_retried(fetch, tiny, server):
    server.script = ["503", "429"]
    assert fetch(tiny).is_dir()
    assert len(server.asked) == 3


# --- failures -----------------------------------------------------------------------------------


def test_wrong_bytes(tmp_path, fetch, tiny, server):
    right = server.content
    server.content = right[:-1] + bytes([right[-1] ^ 1])
    message = error_of(fetch, tiny)
    assert f"sha256 is {sha256(server.content)}, expected {sha256(right)}" in message
    assert server.url in message
    assert left_behind(tmp_path) == []
    server.content = right
    assert fetch(tiny).is_dir()


def test_wrong_size(tmp_path, fetch, tiny, server):
    server.content += b"more"
    assert f"size is {len(server.content)}, expected {len(server.content) - 4}" in error_of(fetch, tiny)
    assert left_behind(tmp_path) == []


def test_a_refusal_is_not_retried(fetch, tiny, server):
    server.script = ["404"]
    message = error_of(fetch, tiny)
    assert "404" in message
    assert len(server.asked) == 1


def test_no_network_and_no_mirror(fetch, tiny):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/tiny.zip"
        dataset = replace(tiny, archives=(replace(tiny.archives[0], url=url, size=5_500_000),))
        message = error_of(fetch, dataset)
    for fragment in (
        "Tiny data",
        url,
        "5.5 MB",
        "CC0",
        "put tiny.zip, or tiny.csv",
        "<mirror>/tiny",
        "CLIPFAIR_MIRROR",
    ):
        assert fragment in message


def test_archive_without_a_needed_file(tmp_path, fetch, tiny, server):
    server.content = zipped(other_csv=b"1,2\n")
    assert "tiny: tiny.csv not in its archives" in error_of(fetch, dataset_of(server))
    assert not (tmp_path / "raw/tiny/1").exists()


def test_archive_with_another_file_inside(fetch, tiny, server):
    server.content = zipped(tiny_csv=b"9,9\n")
    assert "tiny.csv in its archives: sha256 is" in error_of(fetch, dataset_of(server))


def test_a_failure_leaves_the_old_folder(tmp_path, fetch, tiny, server):
    out = fetch(tiny)
    server.script = ["404"]
    error_of(fetch, tiny)
    assert (out / "tiny.csv").read_bytes() == b"1,2\n"
    assert [path.name for path in out.parent.iterdir()] == ["1"]


def test_remains_of_a_killed_process_are_removed(tmp_path, fetch, tiny):
    left = tmp_path / "raw/tiny/.1.partial/half.csv"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    out = fetch(tiny)
    assert {path.name for path in out.iterdir()} == {"tiny.csv", "manifest.json"}
    assert not left.parent.exists()


# --- the mirror folder -------------------------------------------------------------------------------


def test_mirror_comes_before_the_network(fetch, tiny, server, mirror):
    (mirror / "tiny/tiny.csv").write_bytes(b"1,2\n")
    fetch(tiny, str(mirror))
    assert server.asked == []


def test_archive_in_the_mirror(fetch, tiny, server, mirror):
    (mirror / "tiny/tiny.zip").write_bytes(server.content)
    out = fetch(tiny, str(mirror))
    assert json.loads((out / "manifest.json").read_text())["files"]["tiny.csv"]["source"] == "mirror"
    assert server.asked == []
    assert (mirror / "tiny/tiny.zip").exists()


@pytest.fixture
def no_links(monkeypatch):
    """A mirror on another disk."""

    def refuse(source, target):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("no_links")
def test_another_layout_with_a_folder_in_a_read_only_mirror_elsewhere(fetch, tiny, mirror):
    (mirror / "tiny/images/deep").mkdir(parents=True)
    (mirror / "tiny/tiny.tsv").write_bytes(b"1\t2\n")
    (mirror / "tiny/images/deep/1.jpg").write_bytes(b"jpg")
    (mirror / "tiny/images/deep/1.jpg").chmod(stat.S_IRUSR)
    (mirror / "tiny/not-asked-for").write_bytes(b"")
    out = fetch(tiny, str(mirror))
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["layout"] == "other"
    assert list(manifest["files"]) == ["images/deep/1.jpg", "tiny.tsv"]
    assert (out / "images/deep/1.jpg").stat().st_mode & stat.S_IWUSR
    assert not (out / "not-asked-for").exists()


def test_a_mirror_on_the_same_disk_is_linked(fetch, tiny, mirror):
    (mirror / "tiny/images").mkdir()
    (mirror / "tiny/images/1.jpg").write_bytes(b"jpg")
    (mirror / "tiny/tiny.tsv").symlink_to(mirror / "elsewhere.tsv")
    (mirror / "elsewhere.tsv").write_bytes(b"1\t2\n")
    out = fetch(tiny, str(mirror))
    assert (out / "images/1.jpg").samefile(mirror / "tiny/images/1.jpg")
    assert not (out / "tiny.tsv").is_symlink()
    assert (out / "tiny.tsv").samefile(mirror / "elsewhere.tsv")
    fetch(tiny, str(mirror))
    assert (mirror / "tiny/images/1.jpg").read_bytes() == b"jpg"


def test_a_manifest_in_the_mirror_stays_as_it_is(fetch, tiny, mirror):
    (mirror / "tiny/manifest.json").write_bytes(b"{}")
    out = fetch(replace(tiny, layouts=(Layout("flat", (File("./"),)),)), str(mirror))
    assert json.loads((out / "manifest.json").read_text())["dataset"] == "tiny"
    assert (mirror / "tiny/manifest.json").read_bytes() == b"{}"


def test_a_layout_of_everything(fetch, tiny, mirror):
    (mirror / "tiny/1.jpg").write_bytes(b"jpg")
    out = fetch(replace(tiny, layouts=(Layout("flat", (File("./"),)),)), str(mirror))
    assert (out / "1.jpg").read_bytes() == b"jpg"


def test_a_damaged_file_in_the_mirror_is_an_error_and_no_download(tmp_path, fetch, tiny, server, mirror):
    (mirror / "tiny/tiny.csv").write_bytes(b"1,3\n")
    message, digest = error_of(fetch, tiny, str(mirror)), sha256(b"1,3\n")
    assert f"tiny.csv in {mirror}/tiny: sha256 is {digest}" in message
    assert server.asked == []
    assert left_behind(tmp_path) == []


def test_md5_of_a_file_of_a_layout(fetch, tiny, mirror):
    (mirror / "tiny/tiny.csv").write_bytes(b"1,2\n")
    good = hashlib.md5(b"1,2\n", usedforsecurity=False).hexdigest()
    layouts = (Layout("original", (File("tiny.csv", md5=good),)),)
    assert fetch(replace(tiny, layouts=layouts), str(mirror)).is_dir()
    layouts = (Layout("original", (File("tiny.csv", md5="0" * 32),)),)
    assert f"md5 is {good}, expected" in error_of(fetch, replace(tiny, layouts=layouts), str(mirror))


def test_a_subset_in_the_mirror_is_not_verified(fetch, tiny, mirror):
    (mirror / "tiny/tiny.csv").write_bytes(b"1\n")
    out = fetch(tiny, str(mirror), subset=True)
    assert (out / "tiny.csv").read_bytes() == b"1\n"
    (mirror / "tiny/tiny.csv").unlink()
    (mirror / "tiny/tiny.zip").write_bytes(zipped(tiny_csv=b"1\n"))
    assert (fetch(tiny, str(mirror), subset=True) / "tiny.csv").read_bytes() == b"1\n"


def test_a_subset_has_every_named_file(fetch, tiny, mirror):
    (mirror / "tiny/tiny.zip").write_bytes(zipped(other_csv=b"1\n"))
    assert "tiny.csv not in its archives" in error_of(fetch, tiny, str(mirror), subset=True)


def test_downloads_are_verified_for_a_subset_too(fetch, tiny, server):
    server.content = server.content[:-1] + b"x"
    assert "sha256 is" in error_of(fetch, tiny, subset=True)


def test_a_damaged_archive_in_the_mirror_is_named(fetch, tiny, mirror):
    (mirror / "tiny/tiny.zip").write_bytes(b"no zip")
    assert f"{mirror}/tiny/tiny.zip: size is 6" in error_of(fetch, tiny, str(mirror))


def test_a_mirror_without_the_dataset_is_skipped(fetch, tiny, server, mirror):
    (mirror / "tiny").rmdir()
    fetch(tiny, str(mirror))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("name", "fragment"), [("relative/mirror", "relative"), ("/nowhere/at/all", "does not exist")]
)
def test_an_invalid_mirror(fetch, tiny, name, fragment):
    message = error_of(fetch, tiny, name)
    assert name in message
    assert fragment in message


def test_in_mirror(tiny, mirror):
    assert not in_mirror(tiny, mirror=None)
    assert not in_mirror(tiny, mirror=str(mirror))
    (mirror / "tiny/tiny.tsv").write_bytes(b"")
    assert not in_mirror(tiny, mirror=str(mirror))
    (mirror / "tiny/images").mkdir()
    assert in_mirror(tiny, mirror=str(mirror))
    (mirror / "tiny/tiny.tsv").unlink()
    (mirror / "tiny/tiny.zip").write_bytes(b"")
    assert in_mirror(tiny, mirror=str(mirror))


# --- restricted data ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access", "fragment"), [("request", "on request"), ("login", "login"), ("private", "private")]
)
def test_restricted_data_are_never_downloaded(fetch, tiny, server, mirror, access, fragment):
    closed = replace(tiny, access=access, how_to_get="ask Nobody")
    message = error_of(fetch, closed, str(mirror))
    assert fragment in message
    assert "ask Nobody" in message
    assert "https://example.org" in message
    assert f"put tiny.zip, or tiny.csv, or tiny.tsv and images/ into {mirror}/tiny" in message
    assert "checked by sha256" in message
    assert server.asked == []


def test_restricted_data_in_the_mirror_are_verified(fetch, tiny, server, mirror):
    closed = replace(tiny, access="login", how_to_get="ask Nobody")
    (mirror / "tiny/tiny.zip").write_bytes(server.content)
    assert fetch(closed, str(mirror)).is_dir()
    (mirror / "tiny/tiny.zip").write_bytes(server.content + b"x")
    assert "size is" in error_of(fetch, closed, str(mirror))


def test_every_dataset_has_instructions():
    for dataset in load_catalogue(ROOT / "resources/datasets.yaml").values():
        line = missing_line(dataset)
        assert "\n" not in line
        assert line.startswith(f"{dataset.id} ({dataset.title}, ")
        assert dataset.licence in line
        assert all(archive.url in line for archive in dataset.archives if archive.url)


# --- the real files ----------------------------------------------------------------------------------


@pytest.mark.skipif(
    "CLIPFAIR_MIRROR" not in os.environ, reason="CLIPFAIR_MIRROR names no folder of real data"
)
@pytest.mark.parametrize("name", ["adult", "credit-default"])
def test_real_files_are_as_published(fetch, name):
    dataset = load_catalogue(ROOT / "resources/datasets.yaml")[name]
    if not in_mirror(dataset, mirror=os.environ["CLIPFAIR_MIRROR"]):
        pytest.skip(f"{name} is not in the mirror folder")
    files = json.loads((fetch(dataset, os.environ["CLIPFAIR_MIRROR"]) / "manifest.json").read_text())["files"]
    layout = next(layout for layout in dataset.layouts if {file.name for file in layout.files} <= set(files))
    assert {file.name: file.sha256 for file in layout.files}.items() <= {
        name: file["sha256"] for name, file in files.items()
    }.items()
