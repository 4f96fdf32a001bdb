"""Values by seed, for paired differences between methods."""

import numpy as np
import pandas as pd
import pytest

from clipfair.tables.fairclip.paired import log10, per_seed
from clipfair.tables.fairclip.selection import (
    final_values,
)
from tests.unit.tables.fairclip.synthetic_records import GROUPS, settings


def test_an_attribute_counts_once_however_many_groups_it_has(records):
    values = final_values(records, settings(), "group_fairness")
    ours = per_seed(values, "a-fairclip", "distance_wasserstein")
    rows = values[(values["method"] == "a-fairclip") & (values["metric"] == "distance_wasserstein")]
    for seed, mean in ours.items():
        by_attribute = [
            rows[(rows["seed"] == seed) & (rows["attr"] == name) & (rows["label"] == name)]["value"].mean()
            for name in GROUPS
        ]
        assert mean == pytest.approx(np.mean(by_attribute))


def test_measures_of_all_examples_are_not_mixed_with_those_of_groups(records):
    values = final_values(records, settings(), "group_fairness")
    ours = per_seed(values, "clip-ft", "auc")
    rows = values[(values["method"] == "clip-ft") & (values["metric"] == "auc") & (values["label"] == "")]
    assert ours.to_dict() == pytest.approx(rows.set_index("seed")["value"].to_dict())


def test_the_runs_of_one_attribute_can_be_chosen(records):
    values = final_values(records, settings(), "group_fairness")
    [expected] = values[
        (values["method"] == "a-fairclip") & (values["attr"] == "race") & (values["metric"] == "dpd")
        & (values["label"] == "race") & (values["seed"] == 0)
    ]["value"]  # fmt: skip
    assert per_seed(values, "a-fairclip", "dpd", attr=["race"])[0] == pytest.approx(expected)


def test_logarithms_of_values_that_are_not_positive_are_undefined():
    assert log10(pd.Series([100.0, 0.0, -1.0])).tolist() == pytest.approx([2, np.nan, np.nan], nan_ok=True)
