"""Webdataset shards: which file belongs to which key, and one pair read in place."""

import io
import tarfile

import pytest

from clipfair.core.errors import UserError
from clipfair.data.shards import (
    find_shard,
    find_shards,
    image_of,
    list_files,
    list_shards,
    read_index,
    read_pair,
    split_name,
)


@pytest.fixture
def write_tar(tmp_path):
    """Returns a function that writes (name, content) as a tar and gives its path."""

    def write(*members, name="00000.tar"):
        path = tmp_path / name
        with tarfile.open(path, "w") as tar:
            for member, content in members:
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return path

    return write


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("000000017.jpg", ("000000017", "jpg")),
        ("./000000017.JPG", ("000000017", "jpg")),
        ("part/000000017.txt", ("part/000000017", "txt")),
        ("a.b/c.seg.png", ("a.b/c", "seg.png")),
        ("README", None),
        (".hidden", None),
        ("part/._000000017.jpg", None),
    ],
)
def test_the_key_ends_at_the_first_dot_of_the_file_name(name, expected):
    assert split_name(name) == expected


def test_files_are_grouped_by_key_in_the_order_of_their_first_file(write_tar):
    path = write_tar(
        ("./b.jpg", b"image b"),
        ("README", b"no pair"),
        ("part/a.txt", b"text a"),
        ("b.txt", b"text b"),
        ("part/a.note.txt", b"a note"),
        ("part/a.png", b"image a"),
    )
    files = list_files(path)
    assert {key: list(of_key) for key, of_key in files.items()} == {
        "b": ["jpg", "txt"],
        "part/a": ["txt", "note.txt", "png"],
    }
    assert read_pair(path, "part/a") == (b"image a", "text a")
    assert read_pair(path, "b") == (b"image b", "text b")
    assert read_pair(path, "a") is None


def test_every_reader_gives_the_same_keys_and_bytes(write_tar, tmp_path):
    path = write_tar(
        ("./b.jpg", b"image b"),
        ("part/a.txt", b" text a\n"),
        ("b.txt", b"text b"),
        ("part/a.png", b"image a"),
    )
    index = read_index([path], tmp_path / "cache")
    assert index.key.tolist() == ["b", "part/a"] == list(list_files(path))
    assert [index.read(row) for row in range(2)] == [read_pair(path, key) for key in index.key]


def test_the_first_image_suffix_in_the_list_is_the_image(write_tar, tmp_path):
    path = write_tar(("a.png", b"png"), ("a.jpg", b"jpg"), ("a.txt", b"text"))
    assert image_of(list_files(path)["a"]).name == "a.jpg"
    assert read_index([path], tmp_path / "cache").read(0) == (b"jpg", "text")


def test_a_key_that_lacks_image_or_text_is_no_pair(write_tar, tmp_path):
    path = write_tar(("a.jpg", b"image"), ("b.txt", b"text"), ("c.json", b"{}"))
    assert len(read_index([path], tmp_path / "cache")) == 0
    assert image_of(list_files(path)["b"]) is None
    assert read_pair(path, "a") is None


@pytest.mark.parametrize("twin", ["a.jpg", "./a.jpg", "a.JPG"])
def test_two_files_of_one_key_and_suffix_are_an_error(write_tar, tmp_path, error_of, twin):
    path = write_tar(("a.jpg", b"1"), ("a.txt", b"text"), (twin, b"2"))
    assert "00000.tar: two files 'jpg' of key 'a'" in error_of(list_files, path)
    with pytest.raises(UserError, match="two files 'jpg' of key 'a'"):
        read_index([path], tmp_path / "cache")


def test_a_caption_that_is_not_utf8_names_shard_and_key(write_tar, error_of):
    path = write_tar(("a.jpg", b"image"), ("a.txt", b"\xff"))
    assert "00000.tar: pair a: damaged ('utf-8' codec" in error_of(read_pair, path, "a")


# --- which shards there are ---


@pytest.fixture
def touch(tmp_path):
    """Returns a function that makes empty files below ``shards``."""

    def touch_all(*names):
        for name in names:
            path = tmp_path / "shards" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return touch_all


def test_shards_are_those_in_the_folder_whatever_their_numbers(touch, tmp_path):
    touch("00003.tar", "00000.tar", "00001.tar", "00000.parquet", "00000_stats.json", "._00000.tar")
    assert list(list_shards(tmp_path)) == ["00000", "00001", "00003"]
    assert find_shards(tmp_path)[2] == find_shard(tmp_path, "00003") == tmp_path / "shards/00003.tar"


def test_shards_may_be_in_folders_as_datacomp_makes_them(touch, tmp_path):
    touch("small/00000000.tar", "small/00000001.tar")
    assert list_shards(tmp_path)["00000001"] == tmp_path / "shards/small/00000001.tar"


def test_two_shards_of_one_name_are_an_error(touch, tmp_path, error_of):
    touch("a/00000.tar", "b/00000.tar")
    assert "a/00000.tar and b/00000.tar have one name; rename one" in error_of(list_shards, tmp_path)


def test_a_shard_whose_name_has_a_space_is_an_error(touch, tmp_path, error_of):
    touch("my shard.tar")
    assert "my shard.tar: a shard's name consists of letters" in error_of(list_shards, tmp_path)


def test_a_shard_that_is_not_there_is_an_error(touch, tmp_path, error_of):
    touch("00000.tar")
    assert "no shard '00001' among 1; run again" in error_of(find_shard, tmp_path, "00001")
