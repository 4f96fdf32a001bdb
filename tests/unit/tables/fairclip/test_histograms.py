import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.fairclip.histograms import build


def prepared(tmp_path, **columns):
    table = pd.DataFrame(
        {
            "split": ["train", "train", "train", "test", "test"],
            "age": [9.5, 10.0, 71.0, 30.0, np.nan],
            "note": ["a b", " ".join(["w"] * 25), "one", "two words", "out"],
            "used": [True, True, True, True, False],
            **columns,
        }
    )
    path = tmp_path / "table.parquet"
    table.to_parquet(path)
    return {"fundus": str(path)}


def test_examples_are_counted_in_bins_that_contain_their_lower_end(tmp_path):
    frame, page = build(prepared(tmp_path))
    assert set(frame["split"]) == {"train", "test"}
    present = frame[frame["n"] > 0].set_index(["measure", "split", "from"])["n"].to_dict()
    assert present == {
        ("age (years)", "train", 0): 1,
        ("age (years)", "train", 10): 1,
        ("age (years)", "train", 70): 1,
        ("age (years)", "test", 30): 1,
        ("note (words)", "train", 0): 2,
        ("note (words)", "train", 25): 1,
        ("note (words)", "test", 0): 1,
    }
    shares = frame.groupby(["measure", "split"])["share"].sum()
    assert shares.to_numpy() == pytest.approx(1)
    assert f"{np.mean([9.5, 10, 71]):.1f} ± {np.std([9.5, 10, 71], ddof=1):.1f}" in page
    assert "| 70 to 80 | 1 (33.3%) | 0 (0.0%) |" in page


def test_a_dataset_without_notes_is_refused(tmp_path):
    path = tmp_path / "table.parquet"
    pd.DataFrame({"split": ["train"], "age": [1.0]}).to_parquet(path)
    with pytest.raises(UserError, match="no column note; name a dataset of notes"):
        build({"faces": str(path)})
