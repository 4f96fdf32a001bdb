"""The loader of webdataset shards: a tar and a parquet with the same keys, and those that do not match."""

import io
import json
import tarfile

import pandas as pd
import pytest

from clipfair.data.datasets import pairs
from clipfair.data.prepare import prepare_dataset
from clipfair.data.tar import list_members


def shard(name, keys, failed=(), **more):
    """Both files of one shard as img2dataset writes them: every address in the parquet, pairs in the tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for key in keys:
            for suffix, content in (
                ("jpg", b"jpg"),
                ("txt", b"a man"),
                ("json", json.dumps({"key": key}).encode()),
            ):
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    rows = [{"key": key, "status": "success", "caption": "a man", "url": ""} for key in keys]
    rows += [{"key": key, "status": "failed_to_download", "caption": "", "url": ""} for key in failed]
    table = io.BytesIO()
    pd.DataFrame(rows).assign(**more).to_parquet(table)
    return {f"shards/{name}.tar": stream.getvalue(), f"shards/{name}.parquet": table.getvalue()}


FIRST = shard("00000", ["000000000", "000000002"], failed=["000000001"])
SECOND = shard("00001", ["000010000"])


def test_pairs(tree):
    frame = pairs.load(tree(FIRST | SECOND | {"shards/00000_stats.json": "{}"}))
    assert frame.astype(object).to_dict("records") == [
        {
            "key": "00000",
            "tar": "shards/00000.tar",
            "parquet": "shards/00000.parquet",
            "examples": 2,
            "failed": 1,
            "split": "train",
        },
        {
            "key": "00001",
            "tar": "shards/00001.tar",
            "parquet": "shards/00001.parquet",
            "examples": 1,
            "failed": 0,
            "split": "train",
        },
    ]


def test_gaps_empty_shards_and_folders_are_read_as_they_are(tree):
    """DataComp's download_upstream.py writes shards/small/00000000.tar; where every address failed, the tar
    has no files."""
    made = FIRST | shard("00002", [], failed=["000020000", "000020001"]) | shard("00005", ["000050000"])
    files = {name.replace("shards/", "shards/small/000"): content for name, content in made.items()}
    frame = pairs.load(tree(files))
    assert frame["key"].tolist() == ["00000000", "00000002", "00000005"]
    assert frame["tar"].tolist()[1] == "shards/small/00000002.tar"
    assert frame["parquet"].tolist()[1] == "shards/small/00000002.parquet"
    assert frame[["examples", "failed"]].to_numpy().tolist() == [[2, 1], [0, 2], [1, 0]]


def test_a_name_that_is_in_the_tar_twice(tree, error_of):
    """As tar -r appends it: a reader that takes the first and one that takes the last would differ."""
    stream = io.BytesIO(FIRST["shards/00000.tar"])
    with tarfile.open(fileobj=stream, mode="a") as archive:
        member = tarfile.TarInfo("000000000.txt")
        member.size = 7
        archive.addfile(member, io.BytesIO(b"a woman"))
    message = error_of(pairs.load, tree(FIRST | {"shards/00000.tar": stream.getvalue()}))
    assert "00000.tar: two files 'txt' of key '000000000'" in message


@pytest.mark.parametrize("name", ["cc3m", "cc12m", "datacomp-small"])
def test_every_corpus_of_pairs_is_read_alike(tree, catalogue, tmp_path, name):
    assert catalogue[name].kind == "pairs"
    prepare_dataset(catalogue[name], tree(FIRST), tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["examples"].tolist() == [2]


@pytest.mark.parametrize(
    ("files", "fragment"),
    [
        ({}, "no shards"),
        (FIRST | {"shards/00007.tar": b""}, "00007.tar has no 00007.parquet (1 such in all)"),
        (FIRST | {"shards/00007.parquet": b""}, "00007.parquet has no 00007.tar"),
        (
            FIRST | {"shards/00000.parquet": SECOND["shards/00001.parquet"]},
            "00000.tar and 00000.parquet have different keys: ",
        ),
        (FIRST | {"shards/00000.parquet": b"PAR1"}, "00000.parquet: not a readable parquet"),
        (FIRST | {"shards/00000.tar": b"<html>"}, "00000.tar: damaged, or no tar"),
        (
            FIRST | {"shards/00000.tar": b""},
            "00000.tar: damaged, or no tar (empty file) before its first file",
        ),
        (
            FIRST | {"shards/00000.tar": FIRST["shards/00000.tar"][:3072]},
            "00000.tar: damaged, or no tar (no end-of-archive mark) at or after '000000000.json'",
        ),
        (
            FIRST | shard("00001", ["000000002"]),
            "key '000000002' is in 00000.tar and in 00001.tar (1 such",
        ),
    ],
)
def test_broken_shards(tree, error_of, files, fragment):
    assert fragment in error_of(pairs.load, tree(files | {"manifest.json": "{}"}))


def test_tar_and_parquet_with_different_keys(tree, error_of):
    more = shard("00000", ["000000000", "000000001"])
    message = error_of(pairs.load, tree(FIRST | {"shards/00000.tar": more["shards/00000.tar"]}))
    assert (
        "have different keys: 1 only in the tar (first 000000001) and 1 only in the parquet (first 000000002)"
        in message
    )


def test_parquet_without_status(tree, error_of):
    table = io.BytesIO()
    pd.DataFrame({"key": ["000000000"]}).to_parquet(table)
    message = error_of(pairs.load, tree(FIRST | {"shards/00000.parquet": table.getvalue()}))
    assert "00000.parquet: no column status;" in message


def test_offsets_of_members_of_a_nested_tar(tmp_path):
    inner, outer = FIRST["shards/00000.tar"], io.BytesIO()
    with tarfile.open(fileobj=outer, mode="w") as archive:
        for name, content in {"a.tar": inner, "b.txt": b"plain"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    path = tmp_path / "outer.tar"
    path.write_bytes(outer.getvalue())
    found = {member.name: member for member in list_members(path, nested=True)}
    assert list(found) == [
        *(f"a.tar/00000000{n}.{s}" for n in (0, 2) for s in ("jpg", "txt", "json")),
        "b.txt",
    ]
    for name, content in {"a.tar/000000002.txt": b"a man", "b.txt": b"plain"}.items():
        assert found[name].read(outer) == content
    assert [member.name for member in list_members(path)] == ["a.tar", "b.txt"]


def test_missing_tar(tmp_path, error_of):
    assert "none.tar: no such file" in error_of(list, list_members(tmp_path / "none.tar"))
