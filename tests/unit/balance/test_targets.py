import numpy as np
import pytest

from clipfair.balance.indicators import Indicator, IndicatorLayout
from clipfair.balance.targets import target_proportions
from clipfair.core.errors import UserError
from clipfair.m4 import collapse


@pytest.fixture
def patterns_and_layout():
    # Text column with three values (one example has none), and a binary column.
    a = np.array([[1, 0, 0]] * 6 + [[0, 1, 0]] * 2 + [[0, 0, 1]] * 1 + [[0, 0, 0]] * 1)
    b = np.array([[1]] * 3 + [[0]] * 7)
    sensitive = np.hstack([a, b])
    layout = IndicatorLayout(
        (*(Indicator("a", v) for v in "xyz"), Indicator("b")), (Indicator("l"),), None, "unset"
    )
    return collapse(sensitive, b)[0], layout


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("data", [0.6, 0.2, 0.1, 0.3]), ("uniform", [0.3, 0.3, 0.3, 0.5]), ("median", [0.2, 0.2, 0.2, 0.5])],
)
def test_target_rules(rule, expected, patterns_and_layout):
    np.testing.assert_allclose(target_proportions(*patterns_and_layout, rule=rule), expected)
    given = target_proportions(*patterns_and_layout, rule=rule, given={"a=y": 0.25})
    np.testing.assert_allclose(given, [expected[0], 0.25, *expected[2:]])


def test_a_target_for_no_group_or_beyond_one_is_refused(patterns_and_layout):
    with pytest.raises(UserError, match=r"unknown group 'a=w' .*known: a=x, a=y, a=z, b"):
        target_proportions(*patterns_and_layout, given={"a=w": 0.5})
    with pytest.raises(UserError, match=r"'b' is 1.5: expected a proportion"):
        target_proportions(*patterns_and_layout, given={"b": 1.5})
