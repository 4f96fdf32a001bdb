"""The runs and values that the FairCLIP tables show."""

import pandas as pd
import pytest

from clipfair.core.errors import UserError
from clipfair.tables.fairclip.selection import (
    add_mean_distances,
    final_values,
    on_trained_attribute,
    trained_attributes,
)
from tests.unit.tables.fairclip.synthetic_records import GROUPS, grid, read_runs, settings


def test_only_the_last_checkpoint_of_a_run_counts(tmp_path):
    def two_checkpoints(run, rows):
        return [*({**row, "examples": 7, "value": 0.0} for row in rows), *rows]

    grids = {"ft": grid(["clip-ft"])}
    given = settings(grids=grids, rows={"clip-ft": {"name": "CLIP-FT"}})
    values = final_values(read_runs(tmp_path, grids, two_checkpoints), given, "group_fairness")
    assert values["value"].min() > 0
    assert len(values[values["metric"] == "auc"]) == 3 * (1 + sum(map(len, GROUPS.values())))


def test_a_missing_run_is_named_with_the_command_that_makes_it(records):
    without = records[~((records["method"] == "clip-ft") & (records["seed"] == 2))]
    message = (
        r"table fairclip/zero-shot: no evaluation of dataset~fundus/balance~none/model~tiny/method~clip-ft/"
        r"attr~none/lam~0/seed~2/on~fairvlmed-test; make .* -- results/tables/paper/fairclip/zero-shot.csv"
    )
    with pytest.raises(UserError, match=message):
        final_values(without, settings(), "group_fairness")


def test_runs_of_methods_that_are_no_row_may_lack(records):
    given = settings(rows={"clip": {"name": "CLIP"}})
    assert set(final_values(records, given, "group_fairness")["method"]) == {"clip"}


def test_rows_that_no_grid_has_are_an_error(records):
    with pytest.raises(UserError, match=r"no grid evaluates one of its rows \(blip2\) on fairvlmed-test"):
        final_values(records, settings(rows={"blip2": {"name": "BLIP2"}}), "group_fairness")


def test_of_several_evaluations_of_a_kind_one_must_be_named(records):
    evaluations = {name: {"kind": "group_fairness"} for name in ("val", "fairvlmed-test")}
    with pytest.raises(UserError, match=r"name it \(evaluation: <id>\).* val, fairvlmed-test"):
        final_values(records, settings(evaluations=evaluations), "group_fairness")
    given = settings(evaluations=evaluations, evaluation="fairvlmed-test")
    assert len(final_values(records, given, "group_fairness"))


def test_models_of_one_table_may_each_have_an_evaluation_of_their_own(tmp_path):
    grids = {
        "clip": grid(["clip"], evaluations=["fairvlmed-probe"]),
        "blip2": grid(["clip-ft"], evaluations=["fairvlmed-probe-blip2"]),
    }
    kind = {"kind": "linear_probe", "dataset": "fundus", "split": "test"}
    evaluations = dict.fromkeys(("fairvlmed-probe", "fairvlmed-probe-blip2"), kind)
    given = settings(grids=grids, evaluations=evaluations, evaluation=list(evaluations))
    values = final_values(read_runs(tmp_path / "one", grids, lines=evaluations), given, "linear_probe")
    assert set(values["method"]) == {"clip", "clip-ft"}
    grids["blip2"]["evaluations"] = list(evaluations)
    twice = read_runs(tmp_path / "two", grids, lines=evaluations)
    with pytest.raises(UserError, match="evaluated on several of fairvlmed-probe, fairvlmed-probe-blip2"):
        final_values(twice, given, "linear_probe")


def test_mean_distances_are_the_means_over_groups(records):
    values = add_mean_distances(final_values(records, settings(), "group_fairness"))
    of_race = values[(values["metric"] == "distance_scale_free") & (values["label"] == "race")]
    of_run = of_race[(of_race["method"] == "clip-ft") & (of_race["seed"] == 1)]
    groups = of_run[of_run["group"] != ""]
    [mean] = of_run[of_run["group"] == ""].itertuples()
    assert mean.value == pytest.approx(groups["value"].mean())
    assert mean.n == groups["n"].sum()


def test_the_attributes_that_a_method_is_trained_for():
    assert trained_attributes("none") == set()
    assert trained_attributes("race-gender") == {"race", "gender"}
    frame = pd.DataFrame({"attr": ["none", "race", "race", "race"], "attribute": ["age", "race", "age", ""]})
    assert list(on_trained_attribute(frame)) == [True, True, False, True]
