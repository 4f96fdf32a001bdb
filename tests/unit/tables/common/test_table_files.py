"""Table files are marked with the kind of their data, and read back without the mark."""

import pandas as pd

from clipfair.tables.common.compare import compare, read_published
from clipfair.tables.common.table_files import read_table, write_comparison, write_page, write_table

FRAME = pd.DataFrame({"row": ["m4", "cr"], "mean": [1.0, 1 / 3]})


def test_the_first_column_of_a_csv_is_the_kind_of_data(tmp_path):
    write_table(tmp_path / "table.csv", FRAME, "real, partial")
    written = pd.read_csv(tmp_path / "table.csv")
    assert list(written.columns) == ["data", "row", "mean"]
    assert set(written["data"]) == {"real, partial"}
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), FRAME)
    assert list(FRAME.columns) == ["row", "mean"]


def test_without_published_values_a_comparison_is_a_header(tmp_path):
    published = tmp_path / "published.csv"
    published.write_text("table,dataset,row,metric,mean,std,source\nt,adult,M4,DP,1,0.1,here\n")
    ours = {"published_dataset": ["adult"], "published_row": ["M4"], "metric": ["DP"]}
    ours = pd.DataFrame({**ours, "mean": [1.0], "std": [0.1], "n": [3]})
    write_comparison(tmp_path / "some.csv", compare(ours, read_published(published, "t")), "synthetic")
    write_comparison(tmp_path / "none.csv", None, "synthetic")
    some, none = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("some", "none"))
    assert list(some.columns) == list(none.columns)
    assert (len(some), len(none)) == (1, 0)


def test_a_page_has_the_kind_of_data_in_its_title(tmp_path):
    write_page(tmp_path / "table.md", "# Table 5\n\ntext\n", "synthetic", ["A note."])
    assert (tmp_path / "table.md").read_text() == "# Table 5 (synthetic data)\n\n**A note.**\n\ntext\n"
