import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.metrics.labels import binary_labels

TABLE = pd.DataFrame(
    {
        "glaucoma": [0, 1, 1],
        "gender": pd.Categorical(["Male", "Female", "Male"]),
        "race": pd.Categorical(["asian", "black", "white"]),
        "missing": ["Male", None, "Female"],
    }
)


def test_a_column_of_0_and_1_is_taken_as_it_is():
    assert binary_labels(TABLE, "glaucoma").tolist() == [0, 1, 1]


def test_the_positive_value_becomes_1():
    assert binary_labels(TABLE, "gender", "Male").tolist() == [1, 0, 1]
    assert binary_labels(TABLE.astype({"gender": str}), "gender", "Female").tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("column", "positive", "message"),
    [
        ("age", None, "no column 'age'; known: glaucoma, gender"),
        ("race", None, "is not 0 and 1; name the value"),
        ("race", "asian", "expected two values, one of them 'asian'; found asian, black, white"),
        ("gender", "male", "expected two values, one of them 'male'"),
        ("missing", "Male", "column 'missing': 1 of 3 values are missing"),
    ],
)
def test_a_column_that_is_no_label_is_refused(column, positive, message):
    with pytest.raises(UserError, match=message):
        binary_labels(TABLE, column, positive)
