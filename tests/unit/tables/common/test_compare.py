import numpy as np
import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.common.compare import FINE_ROUNDING_STD, LIMIT, ROUNDING_STD, compare, read_published


def ours(mean, std, published_row="Baseline"):
    row = {
        "task": "adult", "row": "baseline", "published_dataset": "adult", "published_row": published_row,
        "metric": "Error", "mean": mean, "std": std, "n": 10,
    }  # fmt: skip
    return pd.DataFrame([row])


def published(mean, std):
    row = {
        "published_dataset": "adult",
        "published_row": "Baseline",
        "metric": "Error",
        "published_mean": mean,
        "published_std": std,
    }
    return pd.DataFrame([row])


def test_the_difference_is_measured_in_combined_standard_deviations():
    entry = compare(ours(15.0, 0.3), published(14.5, 0.4)).iloc[0]
    combined = (0.3**2 + 0.4**2 + 0.1**2 / 12) ** 0.5
    assert entry["difference"] == pytest.approx(0.5)
    assert entry["combined_std"] == pytest.approx(combined)
    assert entry["deviations"] == pytest.approx(0.5 / combined)
    assert entry["verdict"] == "reproduced"
    assert (entry["row"], entry["published_row"]) == ("baseline", "Baseline")


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_limit_is_two_standard_deviations_on_both_sides(sign):
    just = LIMIT * np.hypot(0.3, ROUNDING_STD)
    assert compare(ours(20 + sign * just * 0.999, 0.3), published(20, 0)).iloc[0]["verdict"] == "reproduced"
    assert compare(ours(20 + sign * just * 1.001, 0.3), published(20, 0)).iloc[0]["verdict"] == "differs"


def test_a_published_value_without_deviation_counts_its_rounding():
    entry = compare(ours(20.04, 0.0), published(20.0, np.nan)).iloc[0]
    assert entry["combined_std"] == pytest.approx(ROUNDING_STD)
    assert entry["verdict"] == "reproduced"


def test_a_variant_is_not_comparable():
    entry = compare(ours(20.0, 0.1, published_row=None), published(20.0, 0.1)).iloc[0]
    assert entry["verdict"] == "not comparable: no published value"
    assert np.isnan(entry["difference"])


def test_nothing_of_an_incomparable_table_looks_like_a_reproduction():
    frame = compare(ours(20.0, 0.1), published(20.0, 0.1), incomparable="partial data")
    assert list(frame["verdict"]) == ["not comparable: partial data"]


def test_a_single_repeat_is_no_verdict():
    entry = compare(ours(15.0, np.nan), published(14.5, 0.4)).iloc[0]
    assert entry["verdict"] == "not comparable: no standard deviation of ours"
    assert entry["difference"] == pytest.approx(0.5)


def test_the_rounding_of_the_published_value_can_be_finer():
    entry = compare(ours(20.01, 0.0), published(20.0, np.nan), rounding_std=FINE_ROUNDING_STD).iloc[0]
    assert entry["combined_std"] == pytest.approx(0.01 / 12**0.5)
    assert entry["verdict"] == "differs"


def test_published_values_are_read_by_table(tmp_path):
    path = tmp_path / "m4.csv"
    path.write_text(
        "paper,table,row,dataset,metric,mean,std,unit,source\n"
        "m4,table2,none,miap,max parity,28.4,,%,Table 2\n"
        "m4,table5,Baseline,adult,Error,14.5,.1,%,Table 5\n"
    )
    frame = read_published(str(path), "table2")
    assert frame.to_dict("records")[0]["published_mean"] == 28.4
    assert np.isnan(frame["published_std"][0])
    assert frame["published_source"][0] == "Table 2"
    with pytest.raises(UserError, match="no table 'table6'; known: table2, table5"):
        read_published(str(path), "table6")
