"""Table 4 from annotations and shards."""

import base64
import io
import re
import tarfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clipfair.core.errors import UserError
from clipfair.tables.m4.annotation_examples import KINDS, build

COLUMNS = ["image_label", "image_gender", "text_label", "text_gender"]


def write_shard(path, keys, *, side=32):
    """Each image has the colour of its key's number, each caption its key."""
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for key in keys:
            buffer = io.BytesIO()
            Image.new("RGB", (side, side // 2), (int(key[-4:]) * 5, 100, 50)).save(buffer, "PNG")
            caption = f"caption | of\n{key} "
            for suffix, content in (("png", buffer.getvalue()), ("txt", caption.encode()), ("json", b"{}")):
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return str(path)


@pytest.fixture
def shards(annotated, tmp_path):
    keys = list(annotated.frame["key"])
    folder = tmp_path / "shards"
    return [write_shard(folder / "0.tar", keys[:30]), write_shard(folder / "1.tar", keys[30:])]


def values_of(row, modality, attribute):
    return [name for name, bit in row.items() if name.startswith(f"{modality}.{attribute}=") and bit]


def is_kind(row, kind):
    found = [
        tuple(bool(values_of(row, modality, attribute)) for attribute in ("occupation", "gender"))
        for modality in ("image", "text")
    ]
    return found == [kind.image, kind.text]


def test_every_kind_is_counted_and_its_example_is_one(annotated, shards):
    frame, _ = build(annotated.paths, shards)
    by_key = {row["key"]: row for row in annotated.rows}
    assert list(frame["comment"]) == [kind.comment for kind in KINDS]
    assert (frame["n"] > 0).all()
    for kind, (_, entry) in zip(KINDS, frame.iterrows(), strict=True):
        members = [row for row in annotated.rows if is_kind(row, kind)]
        assert entry["n"] == len(members)
        assert entry["share"] == pytest.approx(len(members) / 50)
        row = by_key[entry["key"]]
        assert is_kind(row, kind)
        assert entry["text"] == f"caption | of\n{entry['key']}"
        assert entry["shard"] == f"{int(entry['key'][:5])}.tar"
        for name in COLUMNS:
            modality, what = name.split("_")
            attribute = "occupation" if what == "label" else what
            values = [column.partition("=")[2] for column in values_of(row, modality, attribute)]
            assert entry[name] == ", ".join(values)


def test_the_papers_four_rows_are_the_four_kinds():
    """Judge, archery, doctor and surfing (Table 4): (profession, gender) of the image, then of the text."""
    assert [(kind.image, kind.text) for kind in KINDS] == [
        ((False, False), (True, True)),
        ((True, True), (False, False)),
        ((False, True), (True, True)),
        ((True, False), (False, True)),
    ]


def test_the_choice_is_the_same_in_any_sharding_and_another_with_another_seed(annotated, shards, tmp_path):
    frame, page = build(annotated.paths, shards)
    whole = tmp_path / "whole.parquet"
    turned = annotated.frame.iloc[::-1]
    turned.to_parquet(whole)
    again, same = build([str(whole)], [write_shard(tmp_path / "whole" / "0.tar", turned["key"])])
    pd.testing.assert_frame_equal(frame.drop(columns="shard"), again.drop(columns="shard"))
    assert page == same
    keys = {tuple(build(annotated.paths, shards, seed=seed)[0]["key"]) for seed in range(5)}
    assert len(keys) > 1


def test_the_images_are_in_the_page(annotated, shards):
    frame, page = build(annotated.paths, shards)
    images = re.findall(r'alt="(\w+)" src="data:image/jpeg;base64,([^"]+)"', page)
    assert [key for key, _ in images] == list(frame["key"])
    for key, content in images:
        image = Image.open(io.BytesIO(base64.b64decode(content)))
        assert image.size == (32, 16)
        expected = np.array([int(key[-4:]) * 5, 100, 50])
        assert np.abs(np.asarray(image).mean(axis=(0, 1)) - expected).max() < 4
    assert f"caption \\| of {frame['key'][0]} |" in page


def test_large_images_are_made_small(annotated, tmp_path):
    keys = list(annotated.frame["key"])
    large = [
        write_shard(tmp_path / "0.tar", keys[:30], side=600),
        write_shard(tmp_path / "1.tar", keys[30:], side=600),
    ]
    _, page = build(annotated.paths, large)
    content = re.search(r'base64,([^"]+)"', page)[1]
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (224, 112)


def test_labels_may_be_of_several_attributes(annotated, shards):
    frame, _ = build(annotated.paths, shards, labels=("occupation", "proxy"))
    assert any("car" in cell or "gun" in cell for cell in frame["text_label"])
    only, _ = build(annotated.paths, shards)
    assert not any("car" in cell or "gun" in cell for cell in only["text_label"])


def test_a_kind_without_examples_stays_with_empty_cells(annotated, shards, tmp_path):
    silent = annotated.frame.copy()
    silent[[name for name in silent if name.startswith("image.gender=")]] = False
    path = tmp_path / "silent.parquet"
    silent.to_parquet(path)
    both = write_shard(tmp_path / "both.tar", silent["key"])
    frame, page = build([str(path)], [both])
    assert list(frame["n"] > 0) == [True, False, False, True]
    assert list(frame["key"] == "") == [False, True, True, False]
    assert page.count("| none |") == 2


def test_shards_that_are_not_the_annotations_are_refused(annotated, shards, tmp_path):
    with pytest.raises(UserError, match="2 annotations but 1 shards"):
        build(annotated.paths, shards[:1])
    with pytest.raises(UserError, match=r"\.tar: no image and caption of key '0000"):
        build(annotated.paths, shards[::-1])
    with pytest.raises(UserError, match=r"gone\.tar: no such file"):
        build(annotated.paths, ["gone.tar", "gone.tar"])
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(b"x" * 700)
    with pytest.raises(UserError, match=r"damaged\.tar: damaged, or no tar"):
        build(annotated.paths, [str(damaged)] * 2)
