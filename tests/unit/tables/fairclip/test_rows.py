"""Rows, means, differences and pages that the tables of FairCLIP share."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clipfair.core.errors import UserError
from clipfair.tables.fairclip.rows import (
    final_values,
    in_order,
    log10,
    mean_interval,
    metric_name,
    on_target,
    per_seed,
    summarise,
    targets,
    with_mean_distances,
)
from tests.unit.tables.fairclip.made_records import GRIDS, GROUPS, grid, read_runs, settings


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """The evaluations of all grids, three seeds each."""
    return read_runs(tmp_path_factory.mktemp("evaluate"), GRIDS)


def test_means_and_deviations_are_over_the_seeds_in_percent(records):
    table = summarise(final_values(records, settings(), "group_fairness"), settings(), ["dpd", "auc"])
    raw = records[(records["method"] == "a-fairclip") & (records["attr"] == "race")]
    values = raw[(raw["metric"] == "dpd") & (raw["label"] == "gender")]["value"].to_numpy()
    chosen = table[(table["method"] == "a-fairclip") & (table["attr"] == "race")]
    [line] = chosen[chosen["metric"] == "gender: DPD"].itertuples()
    assert len(values) == 3
    assert line.mean == pytest.approx(100 * sum(values) / 3)
    assert line.std == pytest.approx(100 * (sum((values - sum(values) / 3) ** 2) / 2) ** 0.5)
    assert (line.n, line.size, line.unit) == (3, 600, "%")


def test_a_metric_is_unique_within_a_row_and_says_attribute_and_group(records):
    table = summarise(final_values(records, settings(), "group_fairness"), settings(), ["auc", "accuracy"])
    assert not table.duplicated(["encoder", "row", "metric"]).any()
    told = table.loc[0]
    assert (told["encoder"], told["row"], told["metric"]) == ("ViT-B/16", "CLIP", "AUC")
    [line] = table[(table["metric"] == "race: AUC asian") & (table["row"] == "CLIP")].itertuples()
    assert (line.attribute, line.group, line.size) == ("race", "asian", 100)
    assert metric_name("", "AUC", "") == "AUC"
    assert metric_name("race", "AUC", "asian") == "race: AUC asian"


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


def test_several_strengths_of_one_method_are_told_apart(tmp_path):
    grids = {"lam": grid(["a-fairclip"], ["race"], ["1e-7", "0.1", "1"])}
    rows = {"a-fairclip": {"name": "A-FairCLIP"}}
    told = settings(grids=grids, rows=rows)
    table = summarise(final_values(read_runs(tmp_path, grids), told, "group_fairness"), told, ["auc"])
    assert list(table.drop_duplicates("row")["row"]) == [
        "A-FairCLIP (race, λ = 1)",
        "A-FairCLIP (race, λ = 0.1)",
        "A-FairCLIP (race, λ = 1e-7)",
    ]


def test_only_the_last_checkpoint_of_a_run_counts(tmp_path):
    def two_checkpoints(run, rows):
        return [*({**row, "examples": 7, "value": 0.0} for row in rows), *rows]

    grids = {"ft": grid(["clip-ft"])}
    told = settings(grids=grids, rows={"clip-ft": {"name": "CLIP-FT"}})
    values = final_values(read_runs(tmp_path, grids, two_checkpoints), told, "group_fairness")
    assert values["value"].min() > 0
    assert len(values[values["metric"] == "auc"]) == 3 * (1 + sum(map(len, GROUPS.values())))


def test_what_is_undefined_in_a_seed_is_not_counted(tmp_path):
    def undefined_at_seed_1(run, rows):
        return [{**row, "value": None if run.seed == 1 else row["value"]} for row in rows]

    grids = {"ft": grid(["clip-ft"])}
    told = settings(grids=grids, rows={"clip-ft": {"name": "CLIP-FT"}})
    values = final_values(read_runs(tmp_path, grids, undefined_at_seed_1), told, "group_fairness")
    assert set(summarise(values, told, ["auc", "dpd"])["n"]) == {2}


def test_a_missing_run_is_named_with_the_command_that_makes_it(records):
    without = records[~((records["method"] == "clip-ft") & (records["seed"] == 2))]
    message = (
        r"table fairclip/zero-shot: no evaluation of dataset~fundus/balance~none/model~tiny/method~clip-ft/"
        r"attr~none/lam~0/seed~2/on~fairvlmed-test; make .* -- results/tables/paper/fairclip/zero-shot.csv"
    )
    with pytest.raises(UserError, match=message):
        final_values(without, settings(), "group_fairness")


def test_runs_of_methods_that_are_no_row_may_lack(records):
    told = settings(rows={"clip": {"name": "CLIP"}})
    assert set(final_values(records, told, "group_fairness")["method"]) == {"clip"}


def test_rows_that_no_grid_has_are_an_error(records):
    with pytest.raises(UserError, match=r"no grid evaluates one of its rows \(blip2\) on fairvlmed-test"):
        final_values(records, settings(rows={"blip2": {"name": "BLIP2"}}), "group_fairness")


def test_of_several_evaluations_of_a_kind_one_must_be_named(records):
    evaluations = {name: {"kind": "group_fairness"} for name in ("val", "fairvlmed-test")}
    with pytest.raises(UserError, match=r"name it \(evaluation: <id>\).* val, fairvlmed-test"):
        final_values(records, settings(evaluations=evaluations), "group_fairness")
    told = settings(evaluations=evaluations, evaluation="fairvlmed-test")
    assert len(final_values(records, told, "group_fairness"))


def test_models_of_one_table_may_each_have_an_evaluation_of_their_own(tmp_path):
    grids = {
        "clip": grid(["clip"], evaluations=["fairvlmed-probe"]),
        "blip2": grid(["clip-ft"], evaluations=["fairvlmed-probe-blip2"]),
    }
    kind = {"kind": "linear_probe", "dataset": "fundus", "split": "test"}
    evaluations = dict.fromkeys(("fairvlmed-probe", "fairvlmed-probe-blip2"), kind)
    told = settings(grids=grids, evaluations=evaluations, evaluation=list(evaluations))
    values = final_values(read_runs(tmp_path / "one", grids, lines=evaluations), told, "linear_probe")
    assert set(values["method"]) == {"clip", "clip-ft"}
    grids["blip2"]["evaluations"] = list(evaluations)
    twice = read_runs(tmp_path / "two", grids, lines=evaluations)
    with pytest.raises(UserError, match="evaluated on several of fairvlmed-probe, fairvlmed-probe-blip2"):
        final_values(twice, told, "linear_probe")


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


def test_mean_distances_are_the_means_over_groups(records):
    values = with_mean_distances(final_values(records, settings(), "group_fairness"))
    of_race = values[(values["metric"] == "distance_scale_free") & (values["label"] == "race")]
    of_run = of_race[(of_race["method"] == "clip-ft") & (of_race["seed"] == 1)]
    groups = of_run[of_run["group"] != ""]
    [mean] = of_run[of_run["group"] == ""].itertuples()
    assert mean.value == pytest.approx(groups["value"].mean())
    assert mean.n == groups["n"].sum()


def test_what_a_method_is_trained_for():
    assert targets("none") == set()
    assert targets("race-gender") == {"race", "gender"}
    frame = pd.DataFrame({"attr": ["none", "race", "race", "race"], "attribute": ["age", "race", "age", ""]})
    assert list(on_target(frame)) == [True, True, False, True]


def test_lists_of_values_decide_the_order_and_others_follow():
    frame = pd.DataFrame({"a": ["z", "y", "x", "y"], "b": [1, 2, 3, 0]})
    ordered = in_order(frame, {"a": ["x"], "b": [0]})
    assert list(zip(ordered["a"], ordered["b"], strict=True)) == [("x", 3), ("z", 1), ("y", 0), ("y", 2)]


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8).filter(lambda x: np.std(x) > 1e-3))
def test_the_interval_of_a_mean_is_scipys(values):
    found = mean_interval(values)
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=1e-12)


def test_intervals_of_few_or_equal_values():
    assert np.isnan(mean_interval([]).mean)
    assert np.isnan(mean_interval([1.0, np.nan]).low)
    assert mean_interval([1.0, np.nan]).n == 1
    assert mean_interval([0.0, 0.0]) == (0.0, 0.0, 0.0, 2, 1.0)
    same = mean_interval([2.0, 2.0])
    assert same[:4] == (2.0, 2.0, 2.0, 2)
    assert np.isnan(same.p)


def test_logarithms_of_what_is_not_positive_are_undefined():
    assert log10(pd.Series([100.0, 0.0, -1.0])).tolist() == pytest.approx([2, np.nan, np.nan], nan_ok=True)
