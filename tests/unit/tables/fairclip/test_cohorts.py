"""Attribute distributions and intersections, from prepared tables."""

import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.fairclip import (
    attribute_distributions as fair_attribute_distributions,
)
from clipfair.tables.fairclip import attribute_distributions_figure as draw_distributions
from clipfair.tables.fairclip import (
    intersections as fair_intersections,
)
from clipfair.tables.fairclip import intersections_figure as draw_intersections
from tests.unit.tables.drawing import svg_of


@pytest.fixture
def prepared(tmp_path):
    """Thirty examples as Harvard-FairVLMed's loader gives them, some unknown and some not used."""
    rng = np.random.default_rng(5)
    n = 30
    race = pd.Categorical.from_codes(rng.integers(-1, 3, n), ["asian", "black", "white"])
    split = pd.Categorical(np.repeat(["train", "val", "test"], 10), ["train", "val", "test"])
    frame = pd.DataFrame(
        {
            "key": [f"data_{place:05d}" for place in range(n)],
            "split": split,
            "race": race,
            "gender": pd.Categorical(rng.choice(["female", "male"], n), ["female", "male"]),
            "age": rng.uniform(20, 90, n),
            "glaucoma": rng.integers(0, 2, n),
        }
    )
    frame["used"] = (frame["split"] == "train") | frame["race"].notna()
    path = tmp_path / "table.parquet"
    frame.to_parquet(path)
    return str(path), frame[frame["used"]]


def test_groups_are_counted_by_split_with_their_label(prepared):
    path, used = prepared
    table, page = fair_attribute_distributions.build({"fundus": path})
    for entry in table.itertuples():
        part = used[used["split"] == entry.split]
        values = part[entry.attribute].astype(object).fillna("unknown")
        members = part[values == entry.group]
        assert entry.n == len(members)
        assert entry.share == pytest.approx(len(members) / len(part))
        if len(members):
            assert entry.positive == pytest.approx((members["glaucoma"] == 1).mean())
        else:
            assert np.isnan(entry.positive)
    sums = table.groupby(["split", "attribute"])["n"].sum()
    assert (
        sums == used.groupby("split", observed=True).size().reindex(sums.index.get_level_values(0)).values
    ).all()
    assert "with the label (glaucoma)" in page


def test_unknown_groups_are_shown_where_there_are_some(prepared):
    path, used = prepared
    table, _ = fair_attribute_distributions.build({"fundus": path})
    unknown = table[table["group"] == "unknown"]
    assert used["race"].isna().any()
    assert set(zip(unknown["split"], unknown["attribute"], strict=True)) == {("train", "race")}


def test_intersections_are_counted_most_frequent_first(prepared):
    path, used = prepared
    table, page = fair_intersections.build({"fundus": path})
    known = used.dropna(subset=["race"])
    assert table["n"].sum() == len(known)
    assert list(table["n"]) == sorted(table["n"], reverse=True)
    for entry in table.itertuples():
        race, gender = entry.intersection.split(", ")
        members = known[(known["race"] == race) & (known["gender"] == gender)]
        assert entry.n == len(members)
        assert entry.n_test == (members["split"] == "test").sum()
        assert entry.positive == pytest.approx(members["glaucoma"].mean())
    assert "| race, gender | n |" in page


def test_faces_are_labelled_by_gender_and_only_the_papers_are_counted(tmp_path):
    frame = pd.DataFrame(
        {
            "key": list("abcd"),
            "split": pd.Categorical(["train", "train", "val", "val"], ["train", "val"]),
            "gender": pd.Categorical(["Male", "Female", "Male", "Male"], ["Female", "Male"]),
            "race": pd.Categorical(["White", "Black", "Black", "White"], ["Black", "White"]),
            "fairclip": [True, True, True, False],
        }
    )
    path = str(tmp_path / "faces.parquet")
    frame.to_parquet(path)
    table, _ = fair_attribute_distributions.build({"faces": path})
    assert set(table["attribute"]) == {"race"}
    assert set(table["label"]) == {"gender Male"}
    cells = table.set_index(["split", "group"])
    assert cells.loc[("val", "White"), "n"] == 0
    assert cells.loc[("train", "White"), "positive"] == 1
    crossed, _ = fair_intersections.build({"faces": path})
    assert crossed.set_index("intersection").loc["Black", "n_test"] == 1


def test_a_dataset_without_label_or_attributes_is_one_clear_line(tmp_path):
    path = str(tmp_path / "table.parquet")
    pd.DataFrame({"key": ["a"], "split": pd.Categorical(["train"])}).to_parquet(path)
    with pytest.raises(UserError, match=r"expected a split, a label \(glaucoma or gender\) and categorical"):
        fair_intersections.build({"x": path})


@pytest.mark.parametrize(
    ("build", "draw", "labels"),
    [
        (fair_attribute_distributions.build, draw_distributions.draw, ["asian", "fundus, test", "glaucoma"]),
        (fair_intersections.build, draw_intersections.draw, ["white, male", "examples"]),
    ],
)
def test_the_figures_are_the_same_every_time(prepared, tmp_path, build, draw, labels):
    path, _ = prepared
    table, _ = build({"fundus": path})
    text = svg_of(tmp_path, table, draw)
    assert all(label in text for label in labels)
