"""Sizes and groups of prepared datasets."""

import pandas as pd
import pytest

from clipfair.tables.m4.datasets import build


@pytest.fixture
def tables(tmp_path):
    faces = pd.DataFrame(
        {
            "key": ["a", "b", "c", "d"],
            "split": pd.Categorical(["train", "train", "val", "train"]),
            "gender": pd.Categorical(["man", "woman", "woman", None], categories=["man", "woman"]),
            "age": [1, 2, 3, 4],
        }
    )
    captions = pd.DataFrame({"key": ["x", "y"], "captions": [["one", "two"], ["three"]]})
    paths = {"faces": tmp_path / "faces.parquet", "captions": tmp_path / "captions.parquet"}
    faces.to_parquet(paths["faces"])
    captions.to_parquet(paths["captions"])
    return {name: str(path) for name, path in paths.items()}


def test_examples_and_groups_are_counted_by_split(tables):
    frame, _ = build(tables)
    counts = frame.set_index(["dataset", "split", "column", "group"])["n"]
    assert counts["faces", "all", "all", "all"] == 4
    assert counts["faces", "train", "all", "all"] == 3
    assert counts["faces", "all", "gender", "woman"] == 2
    assert counts["faces", "train", "gender", "woman"] == 1
    assert counts["captions", "all", "all", "all"] == 2
    assert set(frame["column"]) == {"all", "gender"}


def test_an_example_without_a_group_counts_in_the_size_only(tables):
    frame, _ = build(tables)
    train = frame[(frame["dataset"] == "faces") & (frame["split"] == "train")]
    assert train[train["column"] == "gender"]["n"].sum() == 2


def test_the_page_has_a_row_per_dataset(tables):
    _, page = build(tables)
    assert "| faces | all 4, train 3, val 1 | gender: man 1, woman 2 |" in page
    assert "| captions | all 2 |" in page
