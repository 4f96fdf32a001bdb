import pandas as pd
import pytest

from clipfair.balance.counts import count_tables
from clipfair.balance.layout_inference import infer_layout
from clipfair.balance.table import AnnotationTable
from clipfair.core.errors import UserError


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        AnnotationTable(tmp_path / "absent.csv")
    for name, content, message in (
        ("table.xlsx", "x", r"convert it to one that ends in .parquet, .pq, .csv, .tsv or .txt"),
        ("empty.csv", "", "cannot be read as text"),
        ("broken.parquet", "not parquet", "cannot be read as parquet"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(UserError, match=message):
            AnnotationTable(tmp_path / name)
    (tmp_path / "header.csv").write_text("a,b\n")
    with pytest.raises(UserError, match="has no rows"):
        infer_layout([AnnotationTable(tmp_path / "header.csv")], sensitive=["a"], labels=["b"])
    pd.DataFrame({"a": [], "b": []}).astype(bool).to_parquet(tmp_path / "none.parquet")
    layout = infer_layout([AnnotationTable(tmp_path / "none.parquet")], sensitive=["a"], labels=["b"])
    with pytest.raises(UserError, match="has no rows"):
        count_tables([AnnotationTable(tmp_path / "none.parquet")], layout)
    (tmp_path / "ragged.csv").write_text("a,b\n1,0\n0\n")
    with pytest.raises(UserError, match="cannot be read"):
        infer_layout([AnnotationTable(tmp_path / "ragged.csv")], sensitive=["a"], labels=["b"])
