"""Table 5 from evaluation records."""

import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.core.io import write_json
from clipfair.tables.common.table5 import gather_table5
from clipfair.tables.common.table_files import write_comparison
from clipfair.tables.m4.error_against_dp_figure import draw
from clipfair.tables.m4.mitigation import build
from tests.unit.tables.drawing import svg_of

SETTINGS = {
    "table": "m4/table5",
    "published": "table5",
    "tasks": {
        "adult": {"dataset": "adult", "sensitive": "sex", "published": "adult"},
        "credit": {"dataset": "credit-default", "sensitive": "sex", "published": "credit-default"},
        "adult-race": {"dataset": "adult", "sensitive": "race", "published": None},
    },
    "rows": {"baseline": "Baseline", "m4-0.9": None},
    "seeds": [0, 1, 2],
    "incomparable": "",
}
PUBLISHED = """\
paper,table,row,dataset,metric,mean,std,unit,source
m4,table5,Baseline,adult,DP,18.6,0.2,%,Table 5
m4,table5,Baseline,adult,Error,14.5,0.1,%,Table 5
m4,table5,Baseline,adult,Balanced Error,12.7,0.1,%,Table 5
m4,table5,Baseline,credit-default,DP,2.1,0.3,%,Table 5
"""


@pytest.fixture
def world(tmp_path):
    """Records of two methods on two datasets with three repeats, and the raw numbers by cell."""
    generator = np.random.default_rng(0)
    records, numbers = [], {}
    for name, task in SETTINGS["tasks"].items():
        for row in SETTINGS["rows"]:
            values = generator.uniform(5, 30, size=(3, 3))
            repeats = [
                {
                    "seed": seed,
                    "demographic_parity_difference": dp,
                    "error": error,
                    "balanced_error": balanced,
                }
                for seed, (dp, error, balanced) in zip(SETTINGS["seeds"], values.tolist(), strict=True)
            ]
            path = tmp_path / name / row / "metrics.json"
            run = {"dataset": task["dataset"], "sensitive": task["sensitive"], "method": row}
            write_json(path, run | {"repeats": repeats})
            records.append(str(path))
            numbers[name, row] = values
    published = tmp_path / "m4.csv"
    published.write_text(PUBLISHED)
    return records, str(published), numbers


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
    assert page.count("(") == 4 + 0


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
