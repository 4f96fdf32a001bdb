"""Means over seeds of the rows of the FairCLIP tables."""

import pandas as pd
import pytest

from clipfair.tables.fairclip.measures import cell_name
from clipfair.tables.fairclip.selection import (
    final_values,
)
from clipfair.tables.fairclip.summary import in_order, summarise
from tests.unit.tables.fairclip.synthetic_records import grid, read_runs, settings


def test_means_and_deviations_are_over_the_seeds_in_percent(records):
    table = summarise(final_values(records, settings(), "group_fairness"), settings(), ["dpd", "auc"])
    raw = records[(records["method"] == "a-fairclip") & (records["attr"] == "race")]
    values = raw[(raw["metric"] == "dpd") & (raw["label"] == "gender")]["value"].to_numpy()
    chosen = table[(table["method"] == "a-fairclip") & (table["attr"] == "race")]
    [entry] = chosen[chosen["metric"] == "gender: DPD"].itertuples()
    assert len(values) == 3
    assert entry.mean == pytest.approx(100 * sum(values) / 3)
    assert entry.std == pytest.approx(100 * (sum((values - sum(values) / 3) ** 2) / 2) ** 0.5)
    assert (entry.n, entry.size, entry.unit) == (3, 600, "%")


def test_a_metric_is_unique_within_a_row_and_says_attribute_and_group(records):
    table = summarise(final_values(records, settings(), "group_fairness"), settings(), ["auc", "accuracy"])
    assert not table.duplicated(["encoder", "row", "metric"]).any()
    given = table.loc[0]
    assert (given["encoder"], given["row"], given["metric"]) == ("ViT-B/16", "CLIP", "AUC")
    [entry] = table[(table["metric"] == "race: AUC asian") & (table["row"] == "CLIP")].itertuples()
    assert (entry.attribute, entry.group, entry.size) == ("race", "asian", 100)
    assert cell_name("", "AUC", "") == "AUC"
    assert cell_name("race", "AUC", "asian") == "race: AUC asian"


def test_rows_come_in_the_order_of_the_settings_and_link_to_published_ones(records):
    table = summarise(final_values(records, settings(), "group_fairness"), settings(), ["auc"])
    rows = table.drop_duplicates("row")
    assert list(rows["row"])[:4] == [
        "CLIP",
        "CLIP-FT",
        "FairCLIP as released (race)",
        "FairCLIP as released (gender)",
    ]
    named = rows.set_index("row")["published_row"]
    assert named["A-FairCLIP (language)"] == "A-FairCLIP-language"
    assert pd.isna(named["FairCLIP corrected (race)"])


def test_several_strengths_of_one_method_have_different_names(tmp_path):
    grids = {"lam": grid(["a-fairclip"], ["race"], ["1e-7", "0.1", "1"])}
    rows = {"a-fairclip": {"name": "A-FairCLIP"}}
    given = settings(grids=grids, rows=rows)
    table = summarise(final_values(read_runs(tmp_path, grids), given, "group_fairness"), given, ["auc"])
    assert list(table.drop_duplicates("row")["row"]) == [
        "A-FairCLIP (race, λ = 1)",
        "A-FairCLIP (race, λ = 0.1)",
        "A-FairCLIP (race, λ = 1e-7)",
    ]


def test_undefined_values_of_a_seed_are_not_counted(tmp_path):
    def undefined_at_seed_1(run, rows):
        return [{**row, "value": None if run.seed == 1 else row["value"]} for row in rows]

    grids = {"ft": grid(["clip-ft"])}
    given = settings(grids=grids, rows={"clip-ft": {"name": "CLIP-FT"}})
    values = final_values(read_runs(tmp_path, grids, undefined_at_seed_1), given, "group_fairness")
    assert set(summarise(values, given, ["auc", "dpd"])["n"]) == {2}


def test_lists_of_values_decide_the_order_and_others_follow():
    frame = pd.DataFrame({"a": ["z", "y", "x", "y"], "b": [1, 2, 3, 0]})
    ordered = in_order(frame, {"a": ["x"], "b": [0]})
    assert list(zip(ordered["a"], ordered["b"], strict=True)) == [("x", 3), ("z", 1), ("y", 0), ("y", 2)]
