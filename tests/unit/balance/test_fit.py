import numpy as np
import pytest

from clipfair.balance.counts import count_table
from clipfair.balance.fit import Weigher, read_dual, targets, write_dual
from clipfair.balance.table import Indicator, Layout, Table, describe
from clipfair.core.errors import UserError
from clipfair.m4 import M4Settings, Problem, collapse, solve


@pytest.fixture
def patterns_and_layout():
    # Text column with three values (one example has none), and a binary column.
    a = np.array([[1, 0, 0]] * 6 + [[0, 1, 0]] * 2 + [[0, 0, 1]] * 1 + [[0, 0, 0]] * 1)
    b = np.array([[1]] * 3 + [[0]] * 7)
    sensitive = np.hstack([a, b])
    layout = Layout((*(Indicator("a", v) for v in "xyz"), Indicator("b")), (Indicator("l"),), None, "unset")
    return collapse(sensitive, b)[0], layout


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("data", [0.6, 0.2, 0.1, 0.3]), ("uniform", [0.3, 0.3, 0.3, 0.5]), ("median", [0.2, 0.2, 0.2, 0.5])],
)
def test_target_rules(rule, expected, patterns_and_layout):
    np.testing.assert_allclose(targets(*patterns_and_layout, rule=rule), expected)
    given = targets(*patterns_and_layout, rule=rule, given={"a=y": 0.25})
    np.testing.assert_allclose(given, [expected[0], 0.25, *expected[2:]])


def test_targets_refuse(patterns_and_layout):
    with pytest.raises(UserError, match=r"'a=w', which is no group: the groups are a=x, a=y, a=z, b"):
        targets(*patterns_and_layout, given={"a=w": 0.5})
    with pytest.raises(UserError, match=r"'b' is 1.5: expected a proportion"):
        targets(*patterns_and_layout, given={"b": 1.5})


@pytest.mark.parametrize("max_weight", [1.0, np.inf])
def test_the_dual_file_weighs_a_new_shard(people, people_file, tmp_path, max_weight, write_table):
    table = Table(people_file)
    layout = describe(table, sensitive=["sex"], labels=["occupation", "rich"], utility="utility")
    counts = count_table(table, layout)
    patterns = counts.patterns()
    settings = M4Settings(targets(patterns, layout), 0.6, max_weight=max_weight, eps_association=0.003)
    solution = solve(Problem(patterns, settings))
    write_dual(tmp_path / "dual.json", Weigher(layout, settings, solution.v, solution.mu))
    read = read_dual(tmp_path / "dual.json")
    assert read.layout == layout
    _, _, again = read.weigh_patterns(counts.rows)
    np.testing.assert_allclose(again, solution.weights, atol=1e-12)

    shard = Table(write_table(people[500:600], tmp_path / "shard.parquet"))
    whole = np.concatenate([read.weigh(batch) for batch in table.batches(layout.columns)])
    part = np.concatenate([read.weigh(batch) for batch in shard.batches(layout.columns)])
    np.testing.assert_array_equal(part, whole[500:600])
