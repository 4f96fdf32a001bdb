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


def test_the_first_examples_by_the_hash_of_their_keys_and_the_rest_are_a_partition():
    table = pd.DataFrame(
        {
            "key": [f"val/{n}" for n in range(500)],
            "split": ["val", "train"] * 250,
            "used": [True] * 400 + [False] * 100,
        }
    )
    parts = [
        select_rows(entry(split="val", where={"used": True, "hash_rank": bound}), table)
        for bound in ({"below": 60}, {"from": 60})
    ]
    assert [part.sum() for part in parts] == [60, 140]
    assert not (parts[0] & parts[1]).any()
    assert (parts[0] | parts[1]).tolist() == ((table["split"] == "val") & table["used"]).tolist()
    smaller = select_rows(entry(split="val", where={"used": True, "hash_rank": {"below": 20}}), table)
    assert not (smaller & ~parts[0]).any()
    support = select_support(entry(support={"split": "val", "used": True, "hash_rank": {"below": 60}}), table)
    assert (support == parts[0]).all()
    reversed_table = table[::-1].reset_index(drop=True)
    again = select_rows(entry(split="val", where={"used": True, "hash_rank": {"below": 60}}), reversed_table)
    assert set(reversed_table["key"][again]) == set(table["key"][parts[0]])


def test_more_first_examples_than_there_are_leave_no_rest(table):
    everything = entry(split="val", where={"hash_rank": {"below": 5}})
    assert chosen(select_rows(everything, table)) == "cd"
    with pytest.raises(UserError, match="no example with split val, hash_rank"):
        select_rows(entry(split="val", where={"hash_rank": {"from": 5}}), table)
