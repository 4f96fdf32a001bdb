import json
import math

import numpy as np
import pytest

from clipfair.metrics.measure import Measure, make_measure


def test_an_undefined_value_needs_a_reason_and_has_no_interval():
    expected = Measure("accuracy", None, None, None, 0, None, None, "no image")
    assert make_measure("accuracy", math.nan, n=0, reason="no image", interval=(0, 1)) == expected
    with pytest.raises(ValueError, match="reason"):
        make_measure("accuracy", None, n=0)
    with pytest.raises(ValueError, match="reason"):
        make_measure("accuracy", 0.5, n=1, reason="why")


def test_values_are_plain_numbers():
    found = make_measure(
        "accuracy",
        np.float32(0.5),
        n=np.int64(2),
        label="nurse",
        group="man",
        interval=(np.float64(0.25), 1),
    )
    assert found == ("accuracy", "nurse", "man", 0.5, 2, 0.25, 1.0, None)
    assert json.loads(json.dumps(found._asdict()))["low"] == 0.25
