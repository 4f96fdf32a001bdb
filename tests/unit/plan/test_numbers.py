"""One spelling of a number, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipfair.plan.numbers import canonical_number, read_numbers


@pytest.mark.parametrize(
    ("value", "spelling"),
    [
        ("1e-7", "1e-7"), ("1e-07", "1e-7"), ("0.0000001", "1e-7"), (1e-7, "1e-7"), (0.05, "0.05"),
        ("5e-2", "0.05"), (1, "1"), (1.0, "1"), ("1.50", "1.5"), (0, "0"), ("-0.0", "0"), (2.5e7, "2.5e7"),
        ("1E3", "1000"),
    ],
)  # fmt: skip
def test_a_number_has_one_spelling(value, spelling):
    assert canonical_number(value) == spelling


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_spelling_is_the_number_and_its_own_spelling(value):
    spelling = canonical_number(value)
    assert float(spelling) == value
    assert canonical_number(spelling) == spelling


@pytest.mark.parametrize("value", ["seven", "nan", "inf", "", True])
def test_anything_else_is_refused(value):
    with pytest.raises(ValueError, match="not a"):
        canonical_number(value)


def test_exponents_that_yaml_reads_as_text_are_numbers_and_other_text_stays():
    values = {"eps": "1e-8", "rates": ["2.5E3", {"low": "-1e-7"}], "section": "4.3", "commit": "12e45f"}
    assert read_numbers(values) == {
        "eps": 1e-8,
        "rates": [2500.0, {"low": -1e-7}],
        "section": "4.3",
        "commit": "12e45f",
    }
