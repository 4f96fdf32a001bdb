import pandas as pd

from clipfair.tables.common.metrics_summary import summarise_comparisons
from clipfair.tables.common.table_files import write_comparison


def test_verdicts_are_counted_and_means_are_keyed_by_the_names_of_their_cell(tmp_path):
    frame = pd.DataFrame(
        {
            "task": ["adult", "adult", "adult"],
            "row": ["m4", "m4", "cr"],
            "metric": ["DP", "Error", "DP"],
            "published_row": ["M4", None, None],
            "mean": [1.23456789, 2.0, None],
            "verdict": ["reproduced", "differs", "not comparable: partial data"],
        }
    )
    write_comparison(tmp_path / "t.csv", frame, "real")
    assert summarise_comparisons({"m4/table5": str(tmp_path / "t.csv")}) == {
        "m4/table5": {
            "verdicts": {"reproduced": 1, "differs": 1, "not comparable": 1},
            "means": {"adult / m4 / DP": 1.23457, "adult / m4 / Error": 2.0},
        }
    }


def test_a_table_without_compared_values_has_no_verdicts(tmp_path):
    write_comparison(tmp_path / "t.csv", None, "real")
    assert summarise_comparisons({"m4/table5-rankings": str(tmp_path / "t.csv")}) == {
        "m4/table5-rankings": {"verdicts": {"reproduced": 0, "differs": 0, "not comparable": 0}, "means": {}}
    }
