import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.data import rows  # its function test_rows must not look like a test here
from clipfair.data.rows import read_table, support_rows


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
    return {"dataset": "data", "split": "test", **settings}


def chosen(rows):
    return "".join(key for key, is_chosen in zip("abcdef", rows, strict=True) if is_chosen)


def test_rows_are_those_of_the_split_and_where(table):
    assert chosen(rows.test_rows(entry(), table)) == "ef"
    assert chosen(rows.test_rows(entry(split=["val", "test"]), table)) == "cdef"
    assert chosen(rows.test_rows(entry(split="val", where={"used": True}), table)) == "c"


def test_support_rows_are_those_of_the_setting_or_none(table):
    assert chosen(support_rows(entry(), table)) == ""
    assert chosen(support_rows(entry(support={"split": "train"}), table)) == "ab"
    assert chosen(support_rows(entry(support={"few_shot": True}), table)) == "b"


def test_drawn_images_are_of_the_split_and_repeatable():
    table = pd.DataFrame({"key": [str(n) for n in range(1000)], "split": ["val", "train"] * 500})
    drawn = [rows.test_rows(entry(split="val", images=100, seed=seed), table) for seed in (0, 0, 1)]

    assert [rows.sum() for rows in drawn] == [100, 100, 100]
    assert not drawn[0][1::2].any()
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


def test_all_images_are_used_if_there_are_fewer_than_requested(table):
    assert chosen(rows.test_rows(entry(images=8000, seed=0), table)) == "ef"


def test_no_example_and_no_column_are_errors_of_one_line(table):
    with pytest.raises(UserError, match=r"evaluation on data: no example with split dev; check config\.yaml"):
        rows.test_rows(entry(split="dev"), table)
    with pytest.raises(UserError, match="no column 'gender'; known: key, split"):
        rows.test_rows(entry(where={"gender": "Male"}), table)


def test_columns_can_be_left_out(table, tmp_path):
    table.to_parquet(tmp_path / "table.parquet")

    less = read_table(str(tmp_path / "table.parquet"), less=("captions", "boxes"))
    assert list(less.columns) == ["key", "split", "used", "few_shot", "label"]
    assert list(less["label"].cat.categories) == ["y", "x", "z"]
