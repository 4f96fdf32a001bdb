"""Grids become runs; a run that grids share is trained once."""

import copy

import pytest

from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.plan.training_plan import make_runs, resolve_models

CONFIG = {
    "study": "tiny",
    "stand_ins": {"webli": "cc12m"},
    "models": {
        "small": {"width": 8, "r": 4, "weights": None},
        "large": {"width": 16, "r": 4, "weights": None},
        "baseline": {
            "like": "small",
            "weights": {
                "run": {"dataset": "cc12m", "balance": "baseline", "model": "small", "method": "clip"}
            },
        },
    },
    "recipes": {"fast": {"examples": 10}, "fine": {"epochs": 2}},
    "methods": {
        "clip": {"kind": "pretrain", "loss": "softmax"},
        "as-is": {"kind": "zero_shot"},
        "fair": {"kind": "finetune", "score": "diag"},
    },
    "schedules": {"balanced-10-baseline": [["balanced", 0.1], ["baseline", 0.9]]},
    "evaluations": {
        "faces": {"kind": "association", "dataset": "fairface", "split": "val"},
        "objects": {"kind": "zero_shot", "dataset": "cifar100", "split": "test"},
        "eyes": {"kind": "group_fairness", "dataset": "fundus", "split": "test"},
    },
    "searches": {},
    "training": {
        "tiny": {
            "single": {
                "dataset": "webli",
                "balances": ["baseline", "balanced"],
                "models": ["small", "large"],
                "methods": ["clip"],
                "attrs": ["none"],
                "lams": ["0"],
                "recipe": "fast",
                "seeds": [0, 1],
                "evaluations": ["faces"],
            },
            "stages": {
                "dataset": "webli",
                "balances": ["baseline", "balanced-10-baseline"],
                "models": ["small"],
                "methods": ["clip"],
                "attrs": ["none"],
                "lams": ["0"],
                "recipe": "fast",
                "seeds": [1, 2],
                "evaluations": ["objects"],
            },
            "eyes": {
                "dataset": "fundus",
                "balances": ["none"],
                "models": ["baseline"],
                "methods": ["fair", "as-is"],
                "attrs": ["race"],
                "lams": ["1e-7"],
                "recipe": "fine",
                "seeds": [0],
                "evaluations": ["eyes"],
            },
        }
    },
    "run_tables": {
        "m4/figure2": {"builder": "b", "figure": None, "grids": ["single"]},
        "m4/figure3": {"builder": "b", "figure": None, "grids": ["stages"], "settings": {"metric": "parity"}},
        "fairclip/table5": {
            "builder": "b",
            "figure": None,
            "grids": ["eyes"],
            "published": "fairclip/table5",
            "needs": ["epochs"],
        },
    },
}
SHARED = Run("cc12m", "baseline", "small", "clip")


def runs_of(*tables, **changes):
    config = copy.deepcopy(CONFIG) | changes
    return make_runs(config, tables or tuple(CONFIG["run_tables"]))


def test_a_grid_crosses_its_lists():
    batches = runs_of("m4/figure2").batches
    assert {(batch.balance, batch.model) for batch in batches} == {
        (balance, model) for balance in ("baseline", "balanced") for model in ("small", "large")
    }


def test_a_run_of_two_grids_has_the_seeds_and_evaluations_of_both_and_is_there_once():
    runs = runs_of()
    assert runs.seeds_of(SHARED) == [0, 1, 2]
    assert list(runs.evaluations_of(SHARED)) == ["faces", "objects"]
    assert len(runs.batches) == 4 + 1 + 2


def test_only_the_tables_of_the_study_count():
    assert runs_of("m4/figure2").seeds_of(SHARED) == [0, 1]


def test_what_nobody_has_is_replaced_everywhere():
    assert {batch.dataset for batch in runs_of("m4/figure2").batches} == {"cc12m"}
    assert runs_of().grids["single"].stands_in == "webli"
    assert runs_of(stand_ins={}).grids["single"].dataset == "webli"


def test_the_stages_of_a_schedule_and_of_a_plain_condition():
    runs = runs_of()
    assert runs.stages_of("balanced-10-baseline") == [
        {"balance": "balanced", "share": 0.1},
        {"balance": "baseline", "share": 0.9},
    ]
    assert runs.stages_of("baseline") == [{"balance": "baseline", "share": 1}]
    assert runs.stages_of("none") == []


def test_a_model_may_start_from_a_run_of_the_study():
    runs = runs_of()
    run = Run("fundus", "none", "baseline", "fair", "race", "1e-7", 0)
    assert runs.weights_file(run) == runs.model_file(SHARED)
    assert runs.train_settings(run)["model"]["width"] == 8
    assert runs.weights_file(SHARED) is None


def test_what_a_model_of_blip2_is_made_from():
    url = {"url": "https://example.invalid/a", "sha256": None}
    tokenizer = {"kind": "bert", "vocabulary": url}
    models = {
        "clip": {"weights": url},
        "blip2": {"weights": {**url, "tower": "clip"}, "tokenizer": tokenizer},
        "alike": {"like": "blip2", "queries": 4},
    }
    runs = runs_of("m4/figure2", models=CONFIG["models"] | models)
    assert runs.fetched_models() == ["clip", "blip2"]
    assert runs.fetched_vocabularies() == ["blip2"]
    assert runs.tower_file("blip2") == "data/weights/clip.safetensors"
    assert runs.tower_file("clip") is None
    for model in ("blip2", "alike"):
        assert runs.vocabulary_file(model) == "data/weights/blip2.vocabulary.txt"
        line = runs.model_line(model)
        assert line["tokenizer"] == {"kind": "bert", "vocabulary": "data/weights/blip2.vocabulary.txt"}
    assert runs.vocabulary_file("clip") is None


def test_a_start_that_the_study_does_not_train_is_named():
    with pytest.raises(UserError, match=r"models\.baseline\.weights\.run: study 'tiny' has no run .*small"):
        _ = runs_of("fairclip/table5").batches


def test_an_unknown_run_is_named():
    with pytest.raises(UserError, match=r"has no run .*add it to a grid"):
        runs_of().seeds_of(Run("cc12m", "balanced", "small", "fair"))


def test_settings_of_a_run_name_nothing_of_the_others():
    settings = runs_of().train_settings(SHARED)
    assert settings == {
        "run": {
            "dataset": "cc12m",
            "balance": "baseline",
            "model": "small",
            "method": "clip",
            "attr": "none",
            "lam": "0",
            "seed": 0,
        },
        "model": {"width": 8, "r": 4, "weights": None},
        "recipe": {"examples": 10},
        "method": {"kind": "pretrain", "settings": {"loss": "softmax"}},
        "stages": [{"balance": "baseline", "share": 1}],
    }


def test_a_table_is_told_its_own_settings_and_what_its_grids_name():
    told = runs_of().table_settings("m4/figure3")
    assert told["metric"] == "parity"
    assert told["seeds"] == [1, 2]
    assert told["schedules"] == {"balanced-10-baseline": [["balanced", 0.1], ["baseline", 0.9]]}
    assert list(told["models"]) == ["small"]


def test_epochs_are_asked_of_trained_runs_only():
    keys = runs_of().table_epochs("fairclip/table5")
    assert ["method~fair" in key for key in keys] == [True]
    assert runs_of().table_epochs("m4/figure2") == {}


def test_without_a_dataset_what_needs_it_goes():
    runs = runs_of().without(["cifar100"])
    assert runs.study_tables == ("m4/figure2", "fairclip/table5")
    assert list(runs.evaluations_of(SHARED)) == ["faces"]
    assert runs_of().without(["fundus"]).study_tables == ("m4/figure2", "m4/figure3")


def test_like_is_one_level_deep():
    with pytest.raises(UserError, match=r"models\.c\.like: 'b' is not a model of its own; known: a"):
        resolve_models({"a": {"r": 1}, "b": {"like": "a"}, "c": {"like": "b"}})
