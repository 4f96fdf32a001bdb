"""Families of draws: which run reads which draw, and what is made of each."""

from dataclasses import asdict, replace

import pytest

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.plan.data_jobs import (
    annotation_job,
    fetched_datasets,
    generated_datasets,
    generated_settings,
    shard_paths,
)
from clipfair.plan.data_needed import datasets_needed, datasets_of
from clipfair.plan.data_targets import data_targets
from clipfair.plan.evaluation_jobs import evaluation_job
from clipfair.plan.search_jobs import search_job
from clipfair.plan.table_jobs import table_job
from clipfair.plan.training_jobs import training_job

# Two families in place of the study's datasets; fundus-val stays on the ordinary dataset.
FAMILIES = {
    "generated": {
        "world": {"part": "fundus", "format": "harvard-fairvlmed", "seed": 40, "draws": 2},
        "pairs": {"part": "web", "format": "cc12m", "draws": 4, "settings": {"association": 0}},
    },
    "annotations": {"pairs": {"like": "embedded-web"}},
    "evaluations": {"world-test": {"like": "embedded-fundus-test", "dataset": "world"}},
    "models": {
        "small-baseline": {
            "weights": {
                "run": {"dataset": "pairs", "balance": "baseline", "model": "small-32-r64", "method": "clip"}
            }
        }
    },
    "searches": {"fairclip-plus-small": {"dataset": "world", "run_seed": 5}},
    "studies": {
        "embedded": {
            "roles": {"pairs": "pairs", "eyes": "world", "eye-test": "world-test"},
            "tables": ["m4/figure12", "fairclip/mmd", "fairclip/search"],
        }
    },
}
FAIR = Run("world", "none", "small-baseline", "a-fairclip", "race", "0.07")
PRETRAINED = Run("pairs", "baseline", "small-32-r64", "clip")


@pytest.fixture(scope="module")
def plan(plan_of):
    return plan_of(overlay=FAMILIES)


@pytest.mark.parametrize("seed", range(9))
def test_a_run_reads_the_draw_of_its_seed_modulo_the_draws(plan, seed):
    assert plan.dataset_of(replace(FAIR, seed=seed)) == f"world-draw-{seed % 2}"
    assert plan.dataset_of(replace(PRETRAINED, seed=seed)) == f"pairs-draw-{seed % 4}"
    assert plan.dataset_of(Run("embedded-fundus", seed=seed)) == "embedded-fundus"
    assert plan.dataset_of(Run("none", seed=seed)) == "none"


def test_a_draw_is_its_family_with_a_seed_and_so_a_version_of_its_own(plan):
    assert generated_settings(plan, "world-draw-0") == {"part": "fundus", "seed": 40, "settings": {}}
    assert generated_settings(plan, "world-draw-1") == {"part": "fundus", "seed": 41, "settings": {}}
    assert plan.datasets["world-draw-0"].version != plan.datasets["world-draw-1"].version
    assert plan.datasets["world-draw-1"].format_id == "harvard-fairvlmed"
    assert plan.data_kind_of("world") == plan.data_kind_of("world-draw-1") == "synthetic"
    made = generated_datasets(plan)
    assert {"world-draw-0", "world-draw-1", "pairs-draw-3", "embedded-fundus"} <= set(made)
    assert not {"world", "pairs"} & {*made, *fetched_datasets(plan)}


def test_a_family_has_no_files(plan):
    for place in (plan.raw_of, plan.prepared_of, plan.decoded_of):
        with pytest.raises(ValueError, match="'world' is a family of draws"):
            place("world")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_training_reads_its_draw_and_is_named_by_the_family(plan, seed):
    run, draw = replace(FAIR, seed=seed), f"world-draw-{seed % 2}"
    job = training_job(plan, run)
    assert job.data == {
        "raw": plan.raw_of(draw),
        "contents": paths.contents_of(plan.raw_of(draw)),
        "table": plan.prepared_of(draw),
        "cache": plan.decoded_of(draw),
    }
    assert job.settings["run"] == asdict(run)
    assert job.settings["version"] == plan.datasets[draw].version
    assert plan.path_of(paths.MODEL, run).startswith("results/train/embedded/dataset~world/balance~none/")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_training_starts_from_the_run_of_its_seed_on_the_draw_of_that_seed(plan, seed):
    [weights] = training_job(plan, replace(FAIR, seed=seed)).weights
    start = replace(PRETRAINED, seed=seed)
    assert weights == plan.path_of(paths.MODEL, start)
    job = training_job(plan, start)
    assert job.raw == plan.raw_of(f"pairs-draw-{seed}")
    assert job.keep == [
        f"results/balance/embedded/dataset~pairs-draw-{seed}/balance~baseline/keep.parquet",
    ]


def test_draws_are_annotated_like_their_family(plan):
    for number in range(4):
        job = annotation_job(plan, f"pairs-draw-{number}")
        assert job.raw == plan.raw_of(f"pairs-draw-{number}")
        assert job.settings == {
            **annotation_job(plan, "embedded-web").settings,
            "dataset": f"pairs-draw-{number}",
        }
        assert all(path.startswith(f"{job.raw}/") for path in shard_paths(plan, f"pairs-draw-{number}"))


def test_runs_of_one_draw_are_evaluated_together_and_an_ordinary_dataset_is_read_by_all(plan):
    parts = evaluation_job(plan, replace(FAIR, method="mmd-gaussian-corrected", lam="200")).parts
    assert [[model["run"]["seed"] for model in part["models"]] for part in parts] == [[0, 2], [1]]
    for number, part in enumerate(parts):
        draw = f"world-draw-{number}"
        assert part["datasets"]["world"] == {
            "table": plan.prepared_of(draw),
            "raw": plan.raw_of(draw),
            "contents": paths.contents_of(plan.raw_of(draw)),
            "cache": plan.decoded_of(draw),
        }
        assert part["datasets"]["embedded-fundus"]["raw"] == plan.raw_of("embedded-fundus")


def test_without_families_a_batch_is_one_part(plan_of):
    plan = plan_of()
    batches = [batch for batch in plan.batches if not plan.is_family(batch.dataset)]
    assert {len(evaluation_job(plan, batch).parts) for batch in batches} == {1}


def test_the_draws_that_the_seeds_read_are_needed_and_tables_name_the_family(plan):
    needed = datasets_needed(plan)
    draws = {name for name in needed if "-draw-" in name}
    # The seeds of the grids are 0 to 2; a search reads the draw of its one seed.
    assert draws == {"world-draw-0", "world-draw-1", "pairs-draw-0", "pairs-draw-1", "pairs-draw-2"}
    assert "world" not in needed
    assert needed["world-draw-1"] == ["fairclip/mmd", "fairclip/search"]
    assert datasets_of(plan, "fairclip/mmd") == ["world", "pairs", "embedded-fundus"]
    assert "world, pairs, embedded-fundus" in table_job(plan, "fairclip/mmd").notes[0]
    targets = data_targets(plan)
    assert {plan.prepared_of(draw) for draw in draws} <= set(targets)
    of_families = ("data/prepared/world/", "balance/embedded/dataset~pairs/")
    assert not any(part in target for target in targets for part in of_families)


def test_a_table_about_datasets_reads_every_draw_of_a_family(plan_of):
    plan = plan_of(
        overlay={
            "generated": FAMILIES["generated"],
            "tables": {"questions/worlds": {"datasets": ["world", "embedded-fundus"]}},
            "studies": {"embedded": {"tables": ["questions/worlds"]}},
        }
    )
    read = ["world-draw-0", "world-draw-1", "embedded-fundus"]
    job = table_job(plan, "questions/worlds")
    assert job.arguments == {
        "tables": {name: plan.prepared_of(name) for name in read},
        "raw": {name: plan.raw_of(name) for name in read},
    }
    assert job.raw == [plan.raw_of(name) for name in read]
    contents = [paths.contents_of(plan.raw_of(name)) for name in read]
    assert job.inputs == [*(plan.prepared_of(name) for name in read), *contents]
    assert list(datasets_needed(plan)) == read


def test_a_search_varies_a_training_on_the_draw_of_its_seed(plan):
    assert search_job(plan, "fairclip-plus-small").training.raw == plan.raw_of("world-draw-1")


def test_a_new_unit_changes_no_training_and_no_data_of_the_others(plan_of, plan):
    more = plan_of(
        overlay={
            **FAMILIES,
            "grids": {"fair-clip": {"seeds": [0, 1, 2, 3]}, "m4-human-share": {"seeds": [0, 1, 2, 3]}},
        }
    )
    before, after = (
        {run: training_job(one, run) for batch in one.batches for run in one.runs_of(batch)}
        for one in (plan, more)
    )
    assert {run.seed for run in after.keys() - before.keys()} == {3}
    assert {run: after[run] for run in before} == before
    new = datasets_needed(more).keys() - datasets_needed(plan).keys()
    assert new == {"pairs-draw-3"}


def test_messages_list_families_without_their_draws(plan):
    assert {"world", "pairs"} <= set(plan.listed_datasets)
    assert not any("-draw-" in name for name in plan.listed_datasets)


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (
            {
                "generated": {"embedded-captions": {"draws": 3}},
                "studies": {"embedded": {"tables": ["m4/table7"]}},
            },
            "studies.embedded.roles.captions: 'embedded-captions' is a family of draws, without files of its "
            "own; name draws of it: embedded-captions-draw-0 to embedded-captions-draw-2",
        ),
        (
            {
                "generated": {"embedded-web": {"draws": 2}},
                "annotations": {"embedded-web-draw-1": {"like": "embedded-web"}},
            },
            "annotations.embedded-web-draw-1: annotated as its family 'embedded-web'; remove it",
        ),
    ],
)
def test_a_family_where_one_dataset_is_read_is_an_error(plan_of, overlay, message):
    with pytest.raises(UserError, match=message):
        plan_of(overlay=overlay)
