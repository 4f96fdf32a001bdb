import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.evaluate.texts import text_sets


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "key": list("abcdef"),
            "split": ["val"] * 4 + ["test"] * 2,
            "label": pd.Categorical(list("xyxyxy"), categories=["y", "x", "z"]),
            "captions": [["1"], ["2"], ["3", "4"], ["5"], ["6"], ["7", "8", "9"]],
        }
    )


def entry(**settings):
    return {"dataset": "data", "split": "test", **settings}


def test_text_sets_are_those_that_the_settings_name(table):
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
