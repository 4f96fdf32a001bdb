import numpy as np
import pandas as pd
import pytest

from clipfair.balance.counts import count_tables
from clipfair.balance.indicators import decode, encode
from clipfair.balance.layout_inference import infer_layout
from clipfair.balance.table import AnnotationTable
from clipfair.core.errors import UserError


def test_columns_become_indicators(people_file, people_layout):
    layout = people_layout(people_file)
    assert [i.name for i in layout.sensitive] == ["sex=Female", "sex=Male", "young"]
    assert [i.name for i in layout.labels] == [
        "occupation=nurse",
        "occupation=other",
        "occupation=pilot",
        "rich",
    ]


@pytest.mark.parametrize("utility", [None, "utility"])
def test_decoded_rows_are_the_indicators(people, people_file, utility, people_layout, people_indicators):
    layout = people_layout(people_file, utility=utility)
    batch = next(iter(AnnotationTable(people_file).batches(layout.columns)))
    sensitive, labels, utilities = decode(encode(batch, layout), layout)
    expected_sensitive, expected_labels = people_indicators(people)
    np.testing.assert_array_equal(sensitive, expected_sensitive)
    np.testing.assert_array_equal(labels.toarray(), expected_labels)
    np.testing.assert_array_equal(utilities, people.utility if utility else np.ones(len(people)))


def test_words_for_true_and_false(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("a,b\nTrue,0\nfalse,1\nTRUE,1\n")
    layout = infer_layout([AnnotationTable(path)], sensitive=["a"], labels=["b"])
    batch = next(iter(AnnotationTable(path).batches(layout.columns)))
    sensitive, labels, _ = decode(encode(batch, layout), layout)
    assert sensitive.ravel().tolist() == [1, 0, 1]
    assert labels.toarray().ravel().tolist() == [0, 1, 1]


def test_a_slice_of_a_batch_encodes_as_those_rows(people_file, people_layout):
    layout = people_layout(people_file)
    batch = next(iter(AnnotationTable(people_file).batches(layout.columns)))
    np.testing.assert_array_equal(encode(batch.slice(13, 100), layout), encode(batch, layout)[13:113])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sensitive": ["gender"]}, r"no column 'gender': its columns are id, sex, young, occupation"),
        ({"sensitive": ["age"]}, r"'age' holds numbers \(18, 19, 20, ...\), expected 0/1 or text"),
        ({"labels": ["id"]}, "'id' has more than 1000 values"),
        ({"labels": ["sex"]}, "'sex' is named twice"),
        ({"utility": "weight"}, "no column 'weight'"),
    ],
)
def test_the_columns_to_read_are_checked(people_file, options, message):
    with pytest.raises(UserError, match=message):
        infer_layout([AnnotationTable(people_file)], **({"sensitive": ["sex"], "labels": ["rich"]} | options))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sex": "Diverse"}, "'sex': unknown value 'Diverse': expected Female, Male"),
        ({"rich": 2}, "'rich': unknown value '?2'?: expected 0/1"),
    ],
)
def test_a_value_without_an_indicator(people, tmp_path, write_table, change, message, people_layout):
    layout = people_layout(write_table(people, tmp_path / "first.parquet"))
    for suffix in ("parquet", "csv"):
        shard = write_table(people[:5].assign(**change), tmp_path / f"second.{suffix}")
        with pytest.raises(UserError, match=message):
            count_tables([AnnotationTable(shard)], layout)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 0.0], "utility 0 in row 2"),
        ([1.0, -1.0], "utility -1 in row 2"),
        ([float("inf"), 1.0], "utility inf in row 1"),
        ([1.0, None], "'u': missing value in row 2"),
        (["1", "much"], "utilities must be numbers"),
    ],
)
def test_utilities_are_checked(values, message, tmp_path, write_table):
    frame = pd.DataFrame({"a": [True, False], "b": [False, True], "u": values})
    for suffix in ("parquet", "csv"):
        path = write_table(frame, tmp_path / f"u.{suffix}")
        layout = infer_layout([AnnotationTable(path)], sensitive=["a"], labels=["b"], utility="u")
        with pytest.raises(UserError, match=message):
            count_tables([AnnotationTable(path)], layout)
