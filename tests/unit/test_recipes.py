"""The README's recipes: what one line more in config.yaml adds, and that it adds nothing else."""

import copy

import pytest
import yaml

from clipfair.core.paths import ROOT
from clipfair.plan.registry import load_registry

CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def runs_of(config):
    runs = load_registry(config).runs
    return {run for batch in runs.batches for run in runs.runs_of(batch)}


BEFORE = runs_of(CONFIG)


def add_lam(config, grids):
    grids["fair-lambda"]["lams"] = [*grids["fair-lambda"]["lams"], "10"]
    return {("lam", "10"): 3}


def add_seed(config, grids):
    grids["fair-all"]["seeds"] = [0, 1, 2, 7]
    return {("seed", 7): 1}


def add_model(config, grids):
    config["models"]["small-16"] = {**config["models"]["small-24-r32"], "width": 16}
    grids["m4-control"]["models"] = [*grids["m4-control"]["models"], "small-16"]
    return {("model", "small-16"): 3}


def add_method(config, grids):
    config["methods"]["a-fairclip-w1"] = {
        "kind": "finetune",
        "variant": "a-fairclip",
        "distance": {"kind": "wasserstein", "p": 1},
    }
    grids["fair-aligned"]["methods"] = ["a-fairclip", "a-fairclip-w1"]
    return {("method", "a-fairclip-w1"): 12}


def add_schedule(config, grids):
    config["schedules"]["proxies-50-baseline"] = [["proxies", 0.5], ["baseline", 0.5]]
    grids["m4-two-stage"]["balances"] = [*grids["m4-two-stage"]["balances"], "proxies-50-baseline"]
    return {("balance", "proxies-50-baseline"): 6}


def add_condition(config, grids):
    config["balances"]["quality-half"] = {"kind": "quality", "seed": 0, "share": 0.5}
    grids["m4-human-share"]["balances"] = [*grids["m4-human-share"]["balances"], "quality-half"]
    return {("balance", "quality-half"): 3}


@pytest.mark.parametrize("recipe", [add_lam, add_seed, add_model, add_method, add_schedule, add_condition])
def test_a_line_adds_its_runs_and_nothing_else(recipe):
    config = copy.deepcopy(CONFIG)
    [((level, value), count)] = recipe(config, config["training"]["embedded"]).items()
    added = runs_of(config) - BEFORE
    assert len(added) == count
    assert all(getattr(run, level) == value for run in added)
    assert runs_of(config) >= BEFORE


def test_an_evaluation_is_a_line_and_trains_nothing():
    config = copy.deepcopy(CONFIG)
    line = {**config["evaluations"]["embedded-objects-zero-shot"], "templates": ["a picture of a {}"]}
    config["evaluations"]["objects-one-prompt"] = line
    grid = config["training"]["embedded"]["m4-b16"]
    grid["evaluations"] = [*grid["evaluations"], "objects-one-prompt"]
    runs = load_registry(config).runs
    assert runs_of(config) == BEFORE
    with_it = [batch for batch in runs.batches if "objects-one-prompt" in runs.evaluations_of(batch)]
    assert len(with_it) == 3
