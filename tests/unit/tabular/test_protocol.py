# ruff: noqa: N806 - X is scikit-learn's name

import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tabular.protocol import Protocol, encode, split, split_data


def test_split_is_a_partition_of_the_asked_size():
    train, test = split(101, test_share=0.25, seed=3)
    assert len(test) == 25
    assert sorted([*train, *test]) == list(range(101))


def test_split_depends_on_the_seed_alone():
    np.testing.assert_array_equal(split(50, test_share=0.5, seed=1)[0], split(50, test_share=0.5, seed=1)[0])
    assert not np.array_equal(split(50, test_share=0.5, seed=1)[0], split(50, test_share=0.5, seed=2)[0])


def test_encoding_by_hand():
    train = pd.DataFrame(
        {
            "job": pd.Categorical(["clerk", "?", "clerk", "?"]),
            "age": [20, 30, 40, 50],
            "sex": pd.Categorical(["male", "female", "female", "male"]),
        }
    )
    test = pd.DataFrame({"job": ["farmer"], "age": [60], "sex": ["male"]})
    X_train, X_test, sensitive = encode(train, test, sensitive="sex")
    # Numbers first, then "?", "clerk", "female", "male".
    deviation = np.std([20, 30, 40, 50])
    expected = [[-15 / deviation, 0, 1, 0, 1], [-5 / deviation, 1, 0, 1, 0]]
    np.testing.assert_allclose(X_train[:2], expected, rtol=1e-6)
    np.testing.assert_allclose(X_test, [[25 / deviation, 0, 0, 0, 1]], rtol=1e-6)
    assert sensitive == (3, 4)
    assert X_train.dtype == X_test.dtype == np.float32
    # Minibatches are rows.
    assert X_train.flags.c_contiguous


def test_sensitive_numbers_are_categories():
    frame = pd.DataFrame({"age": [20.0, 30, 40, 50], "sex": [1, 2, 1, 2]})
    X_train, _, sensitive = encode(frame, frame, sensitive="sex")
    np.testing.assert_array_equal(X_train[:, sensitive], [[1, 0], [0, 1], [1, 0], [0, 1]])


def test_split_data_keeps_rows_together(table):
    data = split_data(table, label="income", sensitive="sex", protocol=Protocol(test_share=0.3), seed=5)
    assert len(data.rows_test) == 900
    np.testing.assert_array_equal(data.y_train, table["income"].to_numpy()[data.rows_train])
    np.testing.assert_array_equal(data.s_test, table["sex"].astype(str).to_numpy()[data.rows_test])
    assert data.groups == ("female", "male")
    male = data.X_train[:, data.sensitive_columns[1]]
    np.testing.assert_array_equal(male == 1, data.s_train == "male")


def test_neither_label_nor_published_split_is_a_feature(table, data):
    # skill, noise, three jobs, two sexes
    assert data.X_train.shape[1] == 7
    other = table.assign(split="train", income=1 - table["income"])
    again = split_data(other, label="income", sensitive="sex", protocol=Protocol(), seed=0)
    np.testing.assert_array_equal(again.X_train, data.X_train)


def test_the_encoding_sees_the_training_rows_only(table, data):
    changed = table.copy()
    changed.loc[data.rows_test, "skill"] = 1e6
    again = split_data(changed, label="income", sensitive="sex", protocol=Protocol(), seed=0)
    np.testing.assert_array_equal(again.X_train, data.X_train)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"income": lambda t: t["income"] + 1}, r"label 'income' has the values \[1, 2\]"),
        ({"sex": "male"}, "'sex' has one value"),
        ({"skill": np.nan}, "missing values in skill"),
    ],
)
def test_unfit_tables(table, change, message):
    with pytest.raises(UserError, match=message):
        split_data(table.assign(**change), label="income", sensitive="sex", protocol=Protocol(), seed=0)


def test_unknown_columns_name_the_known(table):
    with pytest.raises(UserError, match="no column 'race'; known: skill, noise"):
        split_data(table, label="income", sensitive="race", protocol=Protocol(), seed=0)


@pytest.mark.parametrize("share", [0, 1, 1.5])
def test_bad_test_share(share):
    with pytest.raises(UserError, match="test_share"):
        Protocol(test_share=share)
