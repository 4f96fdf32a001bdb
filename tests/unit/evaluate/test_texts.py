import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.data import rows
from clipfair.data.rows import read_table, support_rows
from clipfair.evaluate.texts import text_sets


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
    assert chosen(rows.test_rows(entry(), table)) == "ef"
    assert chosen(rows.test_rows(entry(split=["val", "test"]), table)) == "cdef"
    assert chosen(rows.test_rows(entry(split="val", where={"used": True}), table)) == "c"


def test_support_is_what_it_names_or_nothing(table):
    assert chosen(support_rows(entry(), table)) == ""
    assert chosen(support_rows(entry(support={"split": "train"}), table)) == "ab"
    assert chosen(support_rows(entry(support={"few_shot": True}), table)) == "b"


def test_drawn_images_are_of_the_split_and_the_same_again():
    table = pd.DataFrame({"key": [str(n) for n in range(1000)], "split": ["val", "train"] * 500})
    drawn = [rows.test_rows(entry(split="val", images=100, seed=seed), table) for seed in (0, 0, 1)]

    assert [rows.sum() for rows in drawn] == [100, 100, 100]
    assert not drawn[0][1::2].any()
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


def test_fewer_images_than_asked_for_are_all_taken(table):
    assert chosen(rows.test_rows(entry(images=8000, seed=0), table)) == "ef"


def test_no_example_or_column_is_said_in_one_line(table):
    with pytest.raises(UserError, match=r"evaluation on data: no example with split dev; check config\.yaml"):
        rows.test_rows(entry(split="dev"), table)
    with pytest.raises(UserError, match="no column 'gender'; known: key, split"):
        rows.test_rows(entry(where={"gender": "Male"}), table)


def test_text_sets_are_those_that_the_line_names(table):
    found = text_sets(
        entry(
            occupations=["nurse", "pilot"],
            groups={"man": "Male", "woman": "Female"},
            neutral="",
            template="a photo of a {}",
        ),
        table,
    )
    assert {name: texts.names for name, texts in found.items()} == {
        "occupations": ("nurse", "pilot"),
        "groups": ("man", "woman"),
        "neutral": ("",),
    }
    assert found["groups"].templates == ("a photo of a {}",)
    assert found["neutral"].templates == ("{}",)


def test_classes_are_all_values_of_the_label_in_order(table):
    found = text_sets(entry(classes="labels", templates="clip"), table)["classes"]

    assert (found.names, found.templates, found.canonical) == (("y", "x", "z"), "clip", True)
    assert text_sets(entry(classes="imagenet", templates=["{}"]), table)["classes"].names == "imagenet"


def test_captions_are_those_of_the_evaluated_rows_in_order(table):
    assert text_sets(entry(captions="all"), table)["captions"].names == ("6", "7", "8", "9")


def test_captions_are_cut_as_those_that_are_trained_on(table):
    table["captions"] = [["no sign of glaucoma"], ["a"], ["b"], ["c"], ["left eye: cup 0.7"], ["ok"]]
    found = text_sets(entry(captions="all", max_characters=10), table)["captions"]
    assert found.names == ("left eye:", "ok")
    with pytest.raises(UserError, match="the text of e is empty after cutting at 3 characters"):
        text_sets(entry(captions="all", max_characters=3), table)


def test_prompts_may_be_averaged(table):
    found = text_sets(entry(prompts=["no glaucoma", ["glaucoma", "ill"]]), table)["prompts"]

    assert found.names == ("no glaucoma", ("glaucoma", "ill"))


def test_columns_can_be_left_out(table, tmp_path):
    table.to_parquet(tmp_path / "table.parquet")

    less = read_table(str(tmp_path / "table.parquet"), less=("captions", "boxes"))
    assert list(less.columns) == ["key", "split", "used", "few_shot", "label"]
    assert list(less["label"].cat.categories) == ["y", "x", "z"]
