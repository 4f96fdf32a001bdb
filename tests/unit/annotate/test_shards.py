"""Annotated shards: annotations, counts of bad examples, errors."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clipfair.annotate.image import zero_shot
from clipfair.annotate.shards import annotate_shard
from clipfair.annotate.vocabulary import load_vocabulary
from clipfair.core.errors import UserError
from clipfair.data.shards import read_index

FOLDER = Path(__file__).parents[3] / "resources/vocabulary"
VOCABULARIES = [load_vocabulary(FOLDER / f"{name}.yaml") for name in ("gender", "occupations", "humans")]


def pair(key, colour, caption, **changes):
    """The files of one example; a change to None leaves that file out."""
    encoded = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(encoded, "JPEG", quality=95)
    files = {"jpg": encoded.getvalue(), "txt": caption.encode(), "json": json.dumps({"key": key}).encode()}
    files |= changes
    return [(f"{key}.{suffix}", data) for suffix, data in files.items() if data is not None]


def write_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


GOOD = [
    *pair("00000", "red", "A red nurse, a woman"),
    *pair("00001", "green", "a green bench"),
    *pair("00002", "blue", "a judge in red"),
    *pair("00003", "red", "a red and green man"),
    *pair("00004", "green", "two green policemen"),
]
BAD = {
    "image that does not open": pair("bad", "red", "a man", jpg=b"no jpeg"),
    "missing image": pair("bad", "red", "a man", jpg=None),
    "missing txt": pair("bad", "red", "a man", txt=None),
    "missing json": pair("bad", "red", "a man", json=None),
    "empty caption": pair("bad", "red", " \n"),
    "caption that is not UTF-8": pair("bad", "red", "", txt=b"\xff\xfe"),
    "json that does not parse": pair("bad", "red", "a man", json=b"{"),
    "json without key": pair("bad", "red", "a man", json=b'{"url": "x"}'),
}


@pytest.fixture
def annotate(tmp_path, encoder):
    """Returns a function that annotates a shard with given members and reads the outputs."""
    human = zero_shot(encoder, {"human=person": ["green"], "object=red": ["red"]}, background=["a photo."])

    def annotate_members(members, *, max_bad_share=0.0, **options):
        shard = write_tar(tmp_path / "00007.tar", members)
        options = {"encoder": encoder, "annotators": [human], "vocabularies": VOCABULARIES, **options}
        annotate_shard(shard, tmp_path / "out/00007.parquet", max_bad_share=max_bad_share, **options)
        report = json.loads((tmp_path / "out/00007.report.json").read_text())
        return pd.read_parquet(tmp_path / "out/00007.parquet"), report

    return annotate_members


def test_modalities_are_separate_columns(annotate):
    frame, report = annotate(GOOD)
    assert list(frame["key"]) == ["00000", "00001", "00002", "00003", "00004"]
    attributes = frame.drop(columns=["key", "similarity"])
    assert set(attributes.dtypes) == {np.dtype("bool")}
    found = [set(attributes.columns[row]) for row in attributes.to_numpy()]
    assert found == [
        {"text.gender=woman", "text.occupation=nurse", "text.human=woman", "image.object=red", "human"},
        {"image.human=person", "human"},
        {"text.occupation=judge"},
        {"text.gender=man", "text.human=man", "image.object=red", "human"},
        {"text.gender=man", "text.occupation=police officer", "image.human=person", "human"},
    ]
    expected = [1, 1, 0, 0.5**0.5, 1]
    np.testing.assert_allclose(frame["similarity"], expected, atol=0.01)  # JPEG changes colours a little
    assert report == {"shard": "00007.tar", "examples": 5, "annotated": 5, "bad_share": 0.0, "bad": {}}


@pytest.mark.parametrize("kind", BAD)
def test_each_kind_of_bad_example_is_counted(annotate, kind):
    frame, report = annotate([*GOOD[:6], *BAD[kind], *GOOD[6:]], max_bad_share=0.5)
    assert list(frame["key"]) == ["00000", "00001", "00002", "00003", "00004"]
    assert report["bad"] == {kind: {"count": 1, "keys": ["bad"]}}
    assert (report["examples"], report["annotated"], report["bad_share"]) == (6, 5, 1 / 6)


def test_too_many_bad_examples_stop_the_job_with_one_line(annotate, tmp_path):
    members = [*GOOD, *BAD["empty caption"], *pair("worse", "red", "a man", jpg=None)]
    with pytest.raises(UserError) as error:
        annotate(members, max_bad_share=0.2)
    assert "2 of 7 examples are bad (28.6%, at most 20.0% allowed)" in str(error.value)
    assert "1 empty caption (first bad), 1 missing image (first worse)" in str(error.value)
    assert "\n" not in str(error.value)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["00007.report.json"]
    annotate(members, max_bad_share=2 / 7)


def test_a_shard_without_good_examples_is_an_error(annotate):
    with pytest.raises(UserError, match="1 of 1 examples are bad"):
        annotate(BAD["empty caption"], max_bad_share=1.0)


def test_an_empty_shard_has_no_rows_and_the_columns_of_the_others(annotate):
    whole, _ = annotate(GOOD)
    empty, report = annotate([])
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, whole.dtypes)
    assert (report["examples"], report["bad_share"]) == (0, None)


def test_batches_do_not_change_the_annotations(annotate, encoder):
    whole, _ = annotate(GOOD)
    object.__setattr__(encoder, "batch_size", 2)
    parted, _ = annotate(GOOD)
    pd.testing.assert_frame_equal(whole, parted)


def test_the_same_shard_gives_the_same_bytes(annotate, tmp_path):
    out = tmp_path / "out/00007.parquet"
    annotate(GOOD)
    first = out.read_bytes()
    annotate(GOOD)
    assert out.read_bytes() == first


def test_a_second_file_of_a_key_and_suffix_stops_the_job(annotate, error_of):
    members = [*GOOD, ("00001.JPG", b"another image")]
    assert "00007.tar: two files 'jpg' of key '00001'" in error_of(annotate, members, max_bad_share=1.0)


def test_annotation_and_pretraining_agree_on_keys_and_on_duplicates(annotate, tmp_path, error_of):
    """Members with a leading ./ and in folders; then the same tar with one name twice."""
    members = [(f"./{name}", data) for name, data in GOOD[:6]] + [
        (f"part/{name}", data) for name, data in GOOD
    ]
    frame, _ = annotate(members)
    shard = write_tar(tmp_path / "same.tar", members)
    assert frame["key"].tolist() == read_index([shard], tmp_path / "cache").key.tolist()
    assert frame["key"].tolist()[1:3] == ["00001", "part/00000"]
    members.append(("00001.txt", b"a woman"))
    write_tar(shard, members)
    message = "two files 'txt' of key '00001'"
    assert message in error_of(annotate, members)
    assert message in error_of(read_index, [shard], tmp_path / "cache")


def _starts(path):
    """The offsets of the headers of a tar's files, and of its end-of-archive mark."""
    with tarfile.open(path) as tar:
        starts = [member.offset for member in tar]
        return [*starts, tar.offset]


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        (
            lambda data, starts: data[: starts[4] + 600],
            "at or after '00001.txt'",
        ),  # cut within the caption of 00001
        (
            lambda data, starts: data[: starts[6] + 600],
            "at or after '00002.jpg'",
        ),  # within the image of 00002
        (lambda data, starts: data[: starts[3]], "at or after '00000.json'"),  # between two examples
        (lambda data, starts: data[: starts[-1]], "at or after '00004.json'"),  # the end mark is missing
        (
            lambda data, starts: data[: starts[3]] + b"\7" * 512 + data[starts[3] + 512 :],
            "at or after '00000.json'",
        ),
        (lambda data, starts: b"no tar at all" * 100, "before its first file"),
        (lambda data, starts: b"", "before its first file"),
    ],
)
def test_a_damaged_tar_names_the_shard_and_the_last_file(encoder, tmp_path, damage, place):
    shard = write_tar(tmp_path / "bad.tar", GOOD)
    shard.write_bytes(damage(shard.read_bytes(), _starts(shard)))
    with pytest.raises(UserError, match=rf"bad\.tar: damaged, or no tar \(.*\) {place}; fetch"):
        annotate_shard(
            shard,
            tmp_path / "bad.parquet",
            vocabularies=VOCABULARIES,
            encoder=encoder,
            annotators=[],
            max_bad_share=1.0,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["bad.tar"]


def test_missing_shard(encoder, tmp_path):
    with pytest.raises(UserError, match="no such file"):
        annotate_shard(
            tmp_path / "none.tar",
            tmp_path / "none.parquet",
            vocabularies=[],
            encoder=encoder,
            annotators=[],
            max_bad_share=0.0,
        )
