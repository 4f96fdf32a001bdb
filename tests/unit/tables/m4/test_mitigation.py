"""Table 5 from evaluation records."""

import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.common.table5 import gather_table5
from clipfair.tables.common.table_files import write_comparison
from clipfair.tables.m4.error_against_dp_figure import draw
from clipfair.tables.m4.mitigation import build
from tests.unit.tables.drawing import svg_of
from tests.unit.tables.m4.mitigation_records import SETTINGS, write_records


@pytest.fixture
def world(tmp_path):
    """Records of two methods on three tasks with three repeats, and the raw numbers by cell."""
    return write_records(tmp_path)


def test_means_and_deviations_are_over_the_repeats(world):
    records, published, numbers = world
    table, _, _ = build(records, published, SETTINGS)
    assert len(table) == 3 * 2 * 3
    for entry in table.itertuples():
        column = ["DP", "Error", "Balanced Error"].index(entry.metric)
        values = numbers[entry.task, entry.row][:, column]
        assert entry.mean == pytest.approx(sum(values) / 3)
        assert entry.std == pytest.approx((sum((values - sum(values) / 3) ** 2) / 2) ** 0.5)
        assert entry.n == 3


def test_the_order_is_the_registrys_not_the_files(world):
    records, published, _ = world
    forwards, _, page = build(records, published, SETTINGS)
    backwards, _, same = build(records[::-1], published, SETTINGS)
    pd.testing.assert_frame_equal(forwards, backwards)
    assert page == same
    assert list(forwards["row"].unique()) == ["baseline", "m4-0.9"]
    assert list(forwards["metric"][:3]) == ["DP", "Error", "Balanced Error"]


def test_published_values_are_compared_with_their_rows_only(world):
    records, published, numbers = world
    _, compared, page = build(records, published, SETTINGS)
    cell = compared.set_index(["task", "row", "metric"]).loc["adult", "baseline", "DP"]
    assert cell["published_mean"] == 18.6
    assert cell["difference"] == pytest.approx(numbers["adult", "baseline"][:, 0].mean() - 18.6)
    assert compared["published_mean"].notna().sum() == 4
    assert "(18.6 ± 0.2)" in page
    means, _, _ = page.partition("Difference to the baseline")
    assert means.count("(") == 4


def test_a_missing_repeat_is_named(world):
    records, published, _ = world
    with pytest.raises(UserError, match=r"m4/table5: 3 repeats are missing, first adult-race/m4-0.9/seed 0"):
        build(records[:-1], published, SETTINGS)


def test_partial_data_are_never_comparable(world):
    records, published, _ = world
    _, compared, page = build(records, published, {**SETTINGS, "incomparable": "partial data"})
    assert set(compared["verdict"]) == {"not comparable: partial data"}
    assert "| **" not in page


def test_the_gathered_file_has_study_paper_and_kind_of_data(world, tmp_path):
    records, published, _ = world
    _, compared, _ = build(records, published, SETTINGS)
    write_comparison(tmp_path / "table5.compare.csv", compared, "real")
    gathered = gather_table5({"m4": str(tmp_path / "table5.compare.csv")}, "lab")
    assert list(gathered.columns[:3]) == ["study", "paper", "data"]
    assert set(gathered["data"]) == {"real"}
    assert set(gathered["study"]) == {"lab"}
    assert len(gathered) == len(compared)


def test_the_figure_shows_every_method_and_is_the_same_every_time(world, tmp_path):
    records, published, _ = world
    _, compared, _ = build(records, published, SETTINGS)
    text = svg_of(tmp_path, compared, draw)
    assert all(label in text for label in ("baseline", "m4-0.9", "adult", "credit", "adult-race"))
