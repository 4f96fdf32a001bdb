import math

import pytest

from clipfair.evaluate.protocol import row


def test_undefined_value_needs_a_reason_and_has_no_interval():
    assert row("accuracy", math.nan, n=0, reason="no image", interval=(0, 1)) == {
        "metric": "accuracy",
        "label": None,
        "group": None,
        "value": None,
        "n": 0,
        "low": None,
        "high": None,
        "reason": "no image",
    }
    with pytest.raises(ValueError, match="reason"):
        row("accuracy", None, n=0)
    with pytest.raises(ValueError, match="reason"):
        row("accuracy", 0.5, n=1, reason="why")


def test_values_are_plain():
    found = row("accuracy", 0.5, n=2, label="nurse", group="man", interval=(0.25, 1))

    assert (found["value"], found["low"], found["high"], found["n"]) == (0.5, 0.25, 1.0, 2)
