"""Grids become runs; a run that grids share is trained once."""

from dataclasses import replace

import pytest

from clipfair.core.errors import UserError
from clipfair.core.paths import Run

SHARED = Run("embedded-web", "baseline", "small-32-r64", "clip")


def test_a_grid_crosses_its_lists(plan_of):
    grid = plan_of().grids["fair-zero-shot"]
    found = {(batch.method, batch.attr, batch.lam) for batch in grid.batches}
    assert len(grid.batches) == len(found) == 8
    assert {batch.attr for batch in grid.batches} == {"race", "gender", "ethnicity", "language"}
    assert {batch.lam for batch in grid.batches} == {"0.0026"}


def test_a_run_of_several_grids_has_the_seeds_and_evaluations_of_all_and_is_there_once(plan_of):
    evaluations = ["embedded-faces-gender"]
    overlay = {
        "grids": {"m4-neutralise": {"seeds": [2, 9], "evaluations": evaluations}},
        "tables": {"m4/figure12": {"settings": {"shown": evaluations}}},
    }
    plan = plan_of(overlay=overlay)
    assert plan.seeds_of(SHARED) == [0, 1, 2, 9]
    assert [run.seed for run in plan.runs_of(SHARED)] == [0, 1, 2, 9]
    assert len([batch for batch in plan.batches if batch == SHARED]) == 1
    assert len(plan.grids_of(SHARED)) == 4


def test_only_the_tables_of_the_study_count(plan_of):
    plan = plan_of(overlay={"studies": {"embedded": {"tables": ["m4/figure12"]}}})
    assert set(plan.grids) == {"m4-neutralise"}
    assert len(plan.batches) == 3


def test_a_dataset_that_nobody_has_is_replaced_everywhere(plan_of):
    plan = plan_of("paper")
    assert plan.grids["m4-single"].dataset == "cc12m"
    assert plan.tables["m4/conditions-web"].annotations == ["cc12m"]
    other = plan_of("paper", {"stand_ins": {"webli": "embedded-web"}})
    assert other.grids["m4-single"].dataset == "embedded-web"


def test_the_stages_of_a_schedule_and_of_a_plain_condition(plan_of):
    plan = plan_of()
    assert plan.stages_of("proxies-10-baseline") == [("proxies", 0.1), ("baseline", 0.9)]
    assert plan.stages_of("baseline") == [("baseline", 1)]
    assert plan.stages_of("none") == []


def test_a_model_starts_from_the_run_of_its_own_seed(plan_of):
    for seed in (0, 2):
        run = Run("embedded-fundus", "none", "small-baseline", "clip-ft", seed=seed)
        assert plan_of().start_of(run) == replace(SHARED, seed=seed)
    assert plan_of().start_of(SHARED) is None


def test_a_model_may_name_one_seed_for_all(plan_of):
    start = {"dataset": SHARED.dataset, "balance": SHARED.balance, "model": SHARED.model, "method": "clip"}
    one = {"models": {"small-baseline": {"weights": {"run": start | {"seed": 1}}}}}
    run = Run("embedded-fundus", "none", "small-baseline", "clip-ft", seed=2)
    assert plan_of(overlay=one).start_of(run) == replace(SHARED, seed=1)


def test_an_unknown_run_is_named(plan_of):
    with pytest.raises(
        UserError, match=r"study 'embedded' has no run .*model~tiny.*; add it to one of its grids"
    ):
        plan_of().seeds_of(replace(SHARED, model="tiny"))


def test_shards_of_synthetic_pairs_that_the_study_does_not_use_are_not_checked(plan_of):
    # The annotation of embedded-web-fair copies that of embedded-web.
    overlay = {
        "studies": {"embedded": {"tables": ["m4/figure2"]}},
        "generated": {"embedded-web": {"settings": {"pairs": 3000, "shard_size": 1500}}},
        "annotations": {"embedded-web": {"shards": 2}},
    }
    assert plan_of(overlay=overlay).configuration.annotations["embedded-web-fair"].shards == 2
