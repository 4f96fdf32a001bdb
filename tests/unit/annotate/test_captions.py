"""Captions of prepared tables, and neutral captions of shards, as files."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from clipfair.annotate.captions import annotate_table
from clipfair.annotate.neutral import rewrite_shard
from clipfair.annotate.vocabulary import load_vocabulary
from clipfair.core.errors import UserError

FOLDER = Path(__file__).parents[3] / "resources/vocabulary"
VOCABULARIES = [load_vocabulary(FOLDER / f"{name}.yaml") for name in ("gender", "humans")]


@pytest.fixture
def annotate(tmp_path):
    """Returns a function that annotates a prepared table and reads what came out."""

    def write_and_read(table):
        table.to_parquet(tmp_path / "table.parquet")
        annotate_table(tmp_path / "table.parquet", tmp_path / "captions.parquet", vocabularies=VOCABULARIES)
        return pd.read_parquet(tmp_path / "captions.parquet")

    return write_and_read


def test_every_caption_has_a_row(annotate):
    captions = [["a man", "two women"], ["a dog"], ["a man", "a man"]]
    found = annotate(pd.DataFrame({"key": ["a", "b", "c"], "captions": captions, "label": ["x", "y", "z"]}))
    assert found["key"].tolist() == ["a#0", "a#1", "b#0", "c#0", "c#1"]
    assert found["caption"].tolist() == ["a man", "two women", "a dog", "a man", "a man"]
    assert found["text.gender=man"].tolist() == [True, False, False, True, True]
    assert found["text.gender=woman"].tolist() == [False, True, False, False, False]
    assert found["human"].tolist() == [True, True, False, True, True]
    assert found.attrs["captions"] == "captions"


@pytest.mark.parametrize("column", ["label", "class_name"])
def test_a_class_name_is_the_caption_of_its_images(annotate, column):
    names = ["Faces_of_men", "bridegroom", "scuba diver", "bridegroom"]
    table = pd.DataFrame({"key": list("abcd"), "label": pd.Categorical(["n1", "n0", "n2", "n0"])})
    found = annotate(table.assign(**{column: pd.Categorical(names)}))
    assert found["key"].tolist() == ["a#0", "b#0", "c#0", "d#0"]
    assert found["caption"].tolist() == names
    assert found["human"].tolist() == [True, False, False, False]
    assert found.attrs["captions"] == "class names"


def test_a_table_without_text(annotate):
    with pytest.raises(UserError, match="no column captions, class_name, label"):
        annotate(pd.DataFrame({"key": ["a"], "gender": ["Male"]}))


def test_rewritten_captions_of_a_shard(write_shard, tmp_path):
    pairs = [("a", Image.new("RGB", (4, 4)), "She smiles"), ("b", Image.new("RGB", (4, 4)), "a dog")]
    shard = write_shard("0", pairs)
    replacements = load_vocabulary(FOLDER / "neutral.yaml")
    rewrite_shard(shard, tmp_path / "neutral.parquet", replacements=replacements, max_bad_share=0.0)
    found = pd.read_parquet(tmp_path / "neutral.parquet")
    assert found.to_dict("list") == {"key": ["a", "b"], "text": ["The person smiles", "a dog"]}
    empty = write_shard("1", [*pairs, ("c", Image.new("RGB", (4, 4)), " ")])
    with pytest.raises(UserError, match=r"1 empty caption \(first c\)"):
        rewrite_shard(empty, tmp_path / "out.parquet", replacements=replacements, max_bad_share=0.3)
    rewrite_shard(empty, tmp_path / "out.parquet", replacements=replacements, max_bad_share=0.34)
    assert pd.read_parquet(tmp_path / "out.parquet")["key"].tolist() == ["a", "b"]
