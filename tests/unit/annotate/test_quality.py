"""Precision and recall against known labels: worked examples and scikit-learn."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from clipfair.annotate.quality import annotation_quality, measure_quality, similarity_auc
from clipfair.core.errors import UserError

ANNOTATIONS = pd.DataFrame(
    {
        "key": ["d", "c", "b", "a"],
        "text.gender=man": [True, True, False, False],
        "image.gender=man": [True, False, False, False],
        "text.occupation=nurse": [False] * 4,
        "human": [True] * 4,
    }
)
TRUTH = pd.DataFrame(
    {
        "key": ["a", "b", "c", "d", "unused"],
        "text.gender=man": [1, 0, 1, 0, 1],
        "image.gender=man": [0, 0, 1, 1, 1],
        "text.occupation=nurse": [1, 0, 0, 0, 0],
        "occupation": ["nurse", None, None, None, None],
    }
)
GROUPS = pd.Series(["woman", None, "man", "man", "man"])


def test_a_worked_example():
    found = annotation_quality(ANNOTATIONS, TRUTH, groups=GROUPS).set_index(["modality", "value", "group"])
    assert list(found.columns) == ["n", "true", "annotated", "precision", "recall"]
    assert tuple(found.loc["text", "gender=man", "all"]) == (4, 2, 2, 0.5, 0.5)
    assert tuple(found.loc["text", "gender=man", "man"]) == (2, 1, 2, 0.5, 1.0)
    n, true, annotated, precision, recall = found.loc["text", "gender=man", "woman"]
    assert (n, true, annotated, recall) == (1, 1, 0, 0.0)
    assert math.isnan(precision)
    assert tuple(found.loc["image", "gender=man", "all"]) == (4, 2, 1, 1.0, 0.5)
    assert found.loc["text", "occupation=nurse", "man"][["precision", "recall"]].isna().all()
    assert len(found) == 9


def test_agrees_with_scikit_learn():
    rng = np.random.default_rng(1)
    names = ["text.a=b", "image.a=b", "image.a=c"]
    truth = pd.DataFrame(rng.random((200, 3)) < 0.4, columns=names).assign(key=range(200))
    seen = truth.copy()
    seen[names] ^= rng.random((200, 3)) < 0.2
    groups = pd.Series(rng.choice(["x", "y"], size=200))
    for row in annotation_quality(seen.sample(frac=1, random_state=0), truth, groups=groups).itertuples():
        member = np.ones(200, dtype=bool) if row.group == "all" else groups == row.group
        column = f"{row.modality}.{row.value}"
        pair = truth.loc[member, column], seen.loc[member, column]
        assert (row.precision, row.recall) == (precision_score(*pair), recall_score(*pair))


def test_without_groups_all_is_the_only_one():
    assert set(annotation_quality(ANNOTATIONS, TRUTH)["group"]) == {"all"}


@pytest.mark.parametrize(
    ("annotations", "truth", "fragment"),
    [
        (ANNOTATIONS, TRUTH[TRUTH["key"] != "b"], "key 'b' is annotated but not in the truth"),
        (ANNOTATIONS, pd.concat([TRUTH, TRUTH]), "truth: duplicate key 'a'"),
        (pd.concat([ANNOTATIONS, ANNOTATIONS]), TRUTH, "annotations: duplicate key 'd'"),
        (ANNOTATIONS, TRUTH[["key", "occupation"]], "share no column"),
    ],
)
def test_bad_input(annotations, truth, fragment):
    with pytest.raises(UserError, match=fragment):
        annotation_quality(annotations, truth)


def test_measure_quality_files(tmp_path):
    truth = TRUTH.assign(seen=[1, 0, 0, 1, 0], thing=[None, "dog", "dog", None, None], who=GROUPS)
    truth.to_parquet(tmp_path / "truth.parquet")
    found = ANNOTATIONS.assign(**{"image.human=person": [True, False, False, False]})
    found["image.object=dog"] = [False, True, True, True]
    found[:1].to_parquet(tmp_path / "0.parquet")
    found[1:].to_parquet(tmp_path / "1.parquet")
    measure_quality(
        [tmp_path / "0.parquet", tmp_path / "1.parquet"],
        tmp_path / "truth.parquet",
        tmp_path / "quality.json",
        group="who",
        categories=["thing"],
        flags={"human=person": "seen", "object=dog": "image.gender=man"},
    )
    record = json.loads((tmp_path / "quality.json").read_text())
    rows = pd.DataFrame(record["values"])
    expected = annotation_quality(ANNOTATIONS, TRUTH, groups=GROUPS)
    known = rows.merge(expected[["modality", "value"]].drop_duplicates())
    pd.testing.assert_frame_equal(known, expected, check_dtype=False)
    human = rows[(rows["value"] == "human=person") & (rows["group"] == "all")].iloc[0]
    assert (human["true"], human["precision"], human["recall"]) == (2, 1.0, 0.5)
    assert record["similarity_auc"] is None


def test_the_similarity_is_measured_where_mismatches_are_known(tmp_path):
    # The known labels are in another order than the annotations, and have one more example.
    TRUTH.assign(wrong=TRUTH["key"].isin(["a", "e"])).iloc[::-1].to_parquet(tmp_path / "truth.parquet")
    found = ANNOTATIONS.assign(similarity=[0.2, 0.1, 0.4, 0.9])
    found.to_parquet(tmp_path / "0.parquet")
    measure_quality(
        [tmp_path / "0.parquet"], tmp_path / "truth.parquet", tmp_path / "quality.json", mismatched="wrong"
    )
    wrong = found["key"].isin(["a", "e"])
    expected = roc_auc_score(~wrong, found["similarity"])
    assert json.loads((tmp_path / "quality.json").read_text())["similarity_auc"] == expected


@pytest.mark.parametrize("column", ["group", "mismatched"])
def test_measure_quality_files_names_the_missing_column(tmp_path, column):
    TRUTH.to_parquet(tmp_path / "truth.parquet")
    with pytest.raises(UserError, match=r"truth\.parquet: no column who"):
        measure_quality([], tmp_path / "truth.parquet", tmp_path / "quality.json", **{column: "who"})


def test_similarity_auc_is_the_probability_of_the_right_order():
    rng = np.random.default_rng(2)
    similarity, mismatched = rng.integers(0, 9, size=60) / 9, rng.random(60) < 0.3
    wins = [
        (right > wrong) + (right == wrong) / 2
        for right in similarity[~mismatched]
        for wrong in similarity[mismatched]
    ]
    assert similarity_auc(similarity, mismatched) == pytest.approx(np.mean(wins))
