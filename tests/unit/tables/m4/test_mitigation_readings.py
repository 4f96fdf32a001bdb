"""Readings of a published row of Table 5."""

from clipfair.tables.m4.mitigation_readings import build
from tests.unit.tables.m4.mitigation_records import SETTINGS, write_records

VARIANTS = {**SETTINGS, "variants": {"m4-0.9": "Baseline"}}


def test_all_readings_of_a_row_are_compared_with_it(tmp_path):
    records, published, numbers = write_records(tmp_path)
    table, compared, page = build(records, published, VARIANTS)
    assert set(zip(table["row"], table["published_row"], strict=True)) == {
        ("baseline", "Baseline"),
        ("m4-0.9", "Baseline"),
    }
    cell = compared.set_index(["task", "row", "metric"]).loc["adult", "m4-0.9", "DP"]
    assert cell["published_mean"] == 18.6
    assert cell["mean"] == numbers["adult", "m4-0.9"][:, 0].mean()
    assert "| published: Baseline | 18.6 ± 0.2 |" in page
    assert page.count("\n| m4-0.9 |") == 1


def test_a_row_with_one_reading_is_left_out(tmp_path):
    records, published, _ = write_records(tmp_path)
    table, compared, page = build(records, published, {**SETTINGS, "variants": {}})
    assert table.empty
    assert compared.empty
    assert "##" not in page
