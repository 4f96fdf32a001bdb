"""The rows of a prepared table that an evaluation or a training uses."""

import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.data.rows import read_table, select_rows, select_support


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "key": list("abcdef"),
            "split": pd.Categorical(["train", "train", "val", "val", "test", "test"]),
            "used": [True, True, True, False, True, True],
            "few_shot": [False, True, False, False, False, False],
            "label": pd.Categorical(list("xyxyxy"), categories=["y", "x", "z"]),
            "captions": [["1"], ["2"], ["3", "4"], ["5"], ["6"], ["7", "8", "9"]],
        }
    )


def entry(**settings):
    return {"kind": "any", "dataset": "data", "split": "test", **settings}


def chosen(rows):
    return "".join(key for key, is_chosen in zip("abcdef", rows, strict=True) if is_chosen)


def test_rows_are_those_of_the_split_and_where(table):
    assert chosen(select_rows(entry(), table)) == "ef"
    assert chosen(select_rows(entry(split=["val", "test"]), table)) == "cdef"
    assert chosen(select_rows(entry(split="val", where={"used": True}), table)) == "c"


def test_support_is_selected_by_its_settings_or_empty(table):
    assert chosen(select_support(entry(), table)) == ""
    assert chosen(select_support(entry(support={"split": "train"}), table)) == "ab"
    assert chosen(select_support(entry(support={"few_shot": True}), table)) == "b"
    several = [{"split": "train", "few_shot": False}, {"split": "val", "used": False}]
    assert chosen(select_support(entry(support=several), table)) == "ad"
    with pytest.raises(UserError, match="no example with split dev"):
        select_support(entry(support=[{"split": "train"}, {"split": "dev"}]), table)


def test_drawn_images_are_of_the_split_and_the_same_again():
    table = pd.DataFrame({"key": [str(n) for n in range(1000)], "split": ["val", "train"] * 500})
    drawn = [select_rows(entry(split="val", images=100, seed=seed), table) for seed in (0, 0, 1)]

    assert [rows.sum() for rows in drawn] == [100, 100, 100]
    assert not drawn[0][1::2].any()
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


def test_all_images_are_selected_if_fewer_than_requested(table):
    assert chosen(select_rows(entry(images=8000, seed=0), table)) == "ef"


def test_no_example_or_no_column_is_an_error(table):
    with pytest.raises(UserError, match="on data: no example with split dev; check the configuration"):
        select_rows(entry(split="dev"), table)
    with pytest.raises(UserError, match="no column 'gender'; known: key, split"):
        select_rows(entry(where={"gender": "Male"}), table)


def test_columns_can_be_left_out(table, tmp_path):
    table.to_parquet(tmp_path / "table.parquet")

    frame = read_table(str(tmp_path / "table.parquet"), exclude=("captions", "boxes"))
    assert list(frame.columns) == ["key", "split", "used", "few_shot", "label"]
    assert list(frame["label"].cat.categories) == ["y", "x", "z"]
