"""Labels of images from a parquet, or from their captions."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from clipfair.annotate.caption_labels import caption_labels, load_labels
from clipfair.annotate.labels import read_labels
from clipfair.annotate.vocabulary import load_vocabulary
from clipfair.core.errors import UserError

VOCABULARIES = [
    load_vocabulary(Path(__file__).parents[3] / f"resources/vocabulary/{name}.yaml")
    for name in ("gender", "humans", "objects")
]
CAPTIONS = ["a man with his dog", "two women", "a child beside a horse", "a tree"]

TRUTH = pd.DataFrame(
    {
        "key": ["a", "b", "c"],
        "caption": ["1 = 1", "", ""],
        "person": [True, False, True],
        "object": ["dog", None, "star"],
        "image.gender=man": [1, 0, 0],
        "image.proxy=vs. all": [0, 0, 1],
        "text.gender=man": [0, 1, 1],
        "age=old": [True, True, False],
    }
)


@pytest.fixture
def read(tmp_path):
    def write_and_read(frame, **options):
        frame.to_parquet(tmp_path / "labels.parquet")
        return read_labels(tmp_path / "labels.parquet", **options)

    return write_and_read


def test_labels_of_images(read):
    found = read(TRUTH, categories=["object"], flags={"human=person": "person"})
    expected = {
        "key": ["a", "b", "c"],
        "gender=man": [True, False, False],
        "proxy=vs. all": [False, False, True],
        "age=old": [True, True, False],
        "human=person": [True, False, True],
        "object=dog": [True, False, False],
        "object=star": [False, False, True],
    }
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected), check_dtype=False)
    assert all(dtype.kind == "b" for dtype in found.drop(columns="key").dtypes)


@pytest.mark.parametrize(
    ("frame", "options", "fragment"),
    [
        (TRUTH, {"categories": ["objekt"]}, "no column objekt; it has key, caption"),
        (TRUTH, {"flags": {"human=person": "human"}}, "no column human"),
        (TRUTH.drop(columns="key"), {}, "no column key"),
        (pd.concat([TRUTH, TRUTH]), {}, "duplicate key 'a'"),
        (TRUTH[["key", "text.gender=man"]], {}, "no labels; expected columns such as gender=man"),
        (TRUTH.assign(**{"age=old": [1, 2, 0]}), {}, "age=old: expected only 0 and 1"),
        (TRUTH.assign(**{"age=old": [1, None, 0]}), {}, "age=old: expected only 0 and 1"),
        (TRUTH, {"flags": {"a=b": "caption"}}, "a=b: expected only 0 and 1"),
    ],
)
def test_bad_labels(read, frame, options, fragment):
    with pytest.raises(UserError, match=fragment):
        read(frame, **options)


def test_invalid_files_of_labels(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_labels(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_text("key\n")
    with pytest.raises(UserError, match="cannot be read as parquet"):
        read_labels(tmp_path / "bad.parquet")


@pytest.fixture
def shards(write_shard):
    pairs = [(f"{place}", Image.new("RGB", (4, 4)), caption) for place, caption in enumerate(CAPTIONS)]
    return [write_shard("0", pairs[:3]), write_shard("1", pairs[3:])]


CHOSEN = {"categories": ["gender", "object"], "flags": {"human=person": "human"}, "max_bad_share": 0.0}


def test_labels_from_captions(shards):
    found = caption_labels(shards, VOCABULARIES, **CHOSEN).set_index("key")
    assert found.index.tolist() == ["0", "1", "2", "3"]
    assert found["gender=man"].tolist() == [True, False, False, False]
    assert found["gender=woman"].tolist() == [False, True, False, False]
    assert found["object=dog"].tolist() == [True, False, False, False]
    assert found["object=horse"].tolist() == [False, False, True, False]
    # Any keyword makes the one label true.
    assert found["human=person"].tolist() == [True, True, True, False]
    assert found.shape[1] == 2 + 80 + 1
    assert set(map(str, found.dtypes)) == {"bool"}


def test_labels_come_from_the_named_source(shards, tmp_path):
    TRUTH.to_parquet(tmp_path / "truth.parquet")
    of_file = load_labels(
        "truth.parquet",
        folder=tmp_path,
        shards=shards,
        vocabularies=VOCABULARIES,
        **{**CHOSEN, "categories": ["object"], "flags": {"human=person": "person"}},
    )
    assert of_file["human=person"].tolist() == [True, False, True]
    of_captions = load_labels("captions", folder=tmp_path, shards=shards, vocabularies=VOCABULARIES, **CHOSEN)
    pd.testing.assert_frame_equal(of_captions, caption_labels(shards, VOCABULARIES, **CHOSEN))


def test_an_attribute_without_vocabulary(shards):
    with pytest.raises(UserError, match="no vocabulary of proxy; known: gender, human, object"):
        caption_labels(shards, VOCABULARIES, **{**CHOSEN, "categories": ["proxy"]})
