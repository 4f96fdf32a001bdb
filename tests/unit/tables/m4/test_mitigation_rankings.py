"""Published orders of methods against ours, on records with a known order."""

import numpy as np
import pytest
from scipy import stats

from clipfair.metrics.statistics import holm
from clipfair.tables.m4.mitigation_rankings import build
from tests.unit.tables.m4.mitigation_records import SETTINGS, write_published, write_repeats

ROWS = {"baseline": "Baseline", "m4": "Balancing (M4)", "rto": "RTO", "r2b": "R2B", "m4-0.9": None}
SEEDS = list(range(8))
RANKED = {
    **SETTINGS,
    "tasks": {"adult": SETTINGS["tasks"]["adult"]},
    "rows": ROWS,
    "seeds": SEEDS,
    "variants": {},
}
# Row -> published mean of each metric and the same for our records.
PRINTED = {"Baseline": 14.5, "Balancing (M4)": 15.5, "RTO": 15.6, "R2B": 13.0}
OURS = {"baseline": 14.5, "m4": 15.5, "rto": 17.0, "r2b": 14.0, "m4-0.9": 15.0}


@pytest.fixture
def found(tmp_path):
    generator = np.random.default_rng(1)
    split = generator.normal(0, 2, (len(SEEDS), 1))
    numbers = {row: mean + split + generator.normal(0, 0.2, (len(SEEDS), 3)) for row, mean in OURS.items()}
    # A method with far more variation of its own: not distinguishable from any other.
    numbers["r2b"] = 14.0 + split + generator.normal(0, 4, (len(SEEDS), 3))
    records = [write_repeats(tmp_path, "adult", row, values) for row, values in numbers.items()]
    published = write_published(tmp_path, {row: (mean, 0.1) for row, mean in PRINTED.items()})
    table, compared, page = build(records, published, RANKED)
    assert compared is None
    return table, page, numbers


def test_every_pair_of_published_methods_is_compared_once_in_each_column(found):
    table, _, _ = found
    assert len(table) == 3 * 6
    assert "m4-0.9" not in {*table["row"], *table["against"]}


def test_verdicts_are_those_of_the_construction(found):
    table, _, _ = found
    error = table[table["metric"] == "Error"].set_index(["row", "against"])
    assert error["verdict"]["baseline", "m4"] == "holds"
    assert error["verdict"]["baseline", "rto"] == "holds"
    assert error["published_order"]["m4", "rto"] == "not ranked"
    assert error["verdict"]["m4", "rto"] == "not ranked"
    assert error["order"]["m4", "rto"] == "lower"
    assert error["verdict"]["m4", "r2b"] == "undecided"


def test_an_opposite_order_does_not_hold(found, tmp_path):
    _, _, numbers = found
    records = [write_repeats(tmp_path, "adult", row, values) for row, values in numbers.items()]
    swapped = write_published(tmp_path, {row: (30 - mean, 0.1) for row, mean in PRINTED.items()})
    table, _, _ = build(records, swapped, RANKED)
    verdicts = table[table["metric"] == "DP"].set_index(["row", "against"])["verdict"]
    assert verdicts["baseline", "m4"] == "does not hold"


def test_p_values_are_those_of_the_paired_t_test_with_holm_within_a_column(found):
    table, _, numbers = found
    column = table[table["metric"] == "Balanced Error"]
    expected = [
        stats.ttest_rel(numbers[pair.row][:, 2], numbers[pair.against][:, 2]).pvalue
        for pair in column.itertuples()
    ]
    np.testing.assert_allclose(column["p"], expected, rtol=1e-9)
    np.testing.assert_allclose(column["p_holm"], holm(expected), rtol=1e-9)


def test_the_page_counts_verdicts_and_has_m4_less_each_other_method(found):
    table, page, _ = found
    holds = int((table["verdict"] == "holds").sum())
    assert f"\n| all | {holds} |" in page
    assert page.count("| adult: Error | +1.0 |") == 1
    assert sum(line.startswith("| baseline | adult: ") for line in page.split("\n")) == 3


def test_partial_data_have_no_verdict(found, tmp_path):
    _, _, numbers = found
    records = [write_repeats(tmp_path, "adult", row, values) for row, values in numbers.items()]
    published = write_published(tmp_path, {row: (mean, 0.1) for row, mean in PRINTED.items()})
    table, _, _ = build(records, published, {**RANKED, "incomparable": "partial data"})
    assert set(table["verdict"]) == {"not comparable: partial data"}
