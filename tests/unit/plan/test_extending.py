"""Every example of docs/extending.md, as it is printed: what it adds, and that it adds nothing else."""

import re
import sys

import pandas as pd
import pytest
import torch
import yaml

from clipfair.core import code_digest
from clipfair.core.catalogue import load_catalogue
from clipfair.core.paths import CATALOGUE, ROOT
from clipfair.data.prepare import prepare_dataset
from clipfair.metrics.distances import group_distances
from clipfair.plan import loading
from clipfair.plan.evaluation_jobs import evaluation_job
from clipfair.plan.loading import load_study
from clipfair.plan.own_code import job_code
from clipfair.plan.table_jobs import table_job
from clipfair.plan.training_jobs import start_weights, training_job
from clipfair.train.losses import find_loss

SECTIONS = dict(
    re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", (ROOT / "docs/extending.md").read_text("utf-8"), re.M | re.S)
)


def blocks(section, language):
    return re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[section], re.M | re.S)


@pytest.fixture
def plan_with(tmp_path):
    """Returns a function that makes the plan with one example, in a file of the user's own."""

    def make(section, number=0, study=""):
        mine = tmp_path / "mine.yaml"
        mine.write_text(blocks(section, "yaml")[number], encoding="utf-8")
        return load_study(study, overlays=[mine])

    return make


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Returns a function that writes an example's code to a module on the Python path, for one test."""
    names = []

    def write(section, name):
        names.append(name)
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(blocks(section, "python")[0], encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        return path

    yield write
    for name in names:
        sys.modules.pop(name, None)


def runs_of(plan):
    trained = {run for batch in plan.batches for run in plan.runs_of(batch)}
    return trained | {batch for grid in plan.tabular_grids for batch in plan.tabular_batches(grid)}


BEFORE = runs_of(load_study())


@pytest.mark.parametrize(
    ("section", "level", "value", "count"),
    [
        ("A λ", "lam", "10", 3),
        ("A seed", "seed", 7, 4),
        ("A model", "model", "small-16", 9),
        ("A method", "method", "a-fairclip-laplacian", 6),
        ("A two-stage schedule", "balance", "proxies-50-baseline", 3),
        ("A condition", "balance", "quality-half", 3),
        ("A row of Table 5", "method", "rto-0.5", 2),
    ],
)
def test_an_entry_adds_its_runs_and_nothing_else(plan_with, section, level, value, count):
    added = runs_of(plan_with(section)) - BEFORE
    assert len(added) == count
    assert all(getattr(run, level) == value for run in added)


def test_an_evaluation_trains_nothing(plan_with):
    plan = plan_with("An evaluation")
    assert runs_of(plan) == BEFORE
    with_it = [one for one in plan.batches if "objects-one-prompt" in evaluation_job(plan, one).evaluations]
    assert len(with_it) == 3


def test_a_published_model_is_evaluated_as_it_is(plan_with, plan_of):
    before, plan = plan_of("open"), plan_with("A published model", study="open")
    [added] = set(plan.batches) - set(before.batches)
    assert (added.dataset, added.model, added.method) == ("none", "yfcc15m-rn50", "zero-shot")
    assert start_weights(plan, added) == ["data/weights/yfcc15m-rn50.safetensors"]


def test_a_study_is_one_file(plan_with):
    plan = plan_with("A study")
    assert (plan.study, list(plan.tables)) == ("faces", ["fairclip/faces"])
    assert {run.seed for run in runs_of(plan)} == {0}
    assert {batch.model for batch in plan.batches} == {"small-faces"}


def test_a_distance_of_ones_own(plan_with, module):
    file = module("A distance of your own", "my_distance")
    plan = plan_with("A distance of your own")
    [batch, *_] = [batch for batch in plan.batches if batch.method == "a-fairclip-mean"]
    job = training_job(plan, batch)
    distance = job.settings["method"]["settings"]["distance"]
    found = group_distances(distance, torch.tensor([1.0, 3.0]), [torch.tensor([1.0]), torch.tensor([5.0])])
    assert found.tolist() == [1.0, 9.0]
    before = job_code("clipfair.train.run", own=job.own)
    file.write_text(file.read_text("utf-8").replace("power=1", "power=3"), encoding="utf-8")
    code_digest._read_module.cache_clear()
    assert job_code("clipfair.train.run", own=job.own) != before


def test_a_loss_of_ones_own(plan_with, module):
    module("A loss of your own", "my_loss")
    plan = plan_with("A loss of your own")
    assert {batch.method for batch in plan.batches} == {"one-way"}
    batch = next(iter(plan.batches))
    job = training_job(plan, batch)
    assert job.own == ["my_loss:one_way"]
    loss = find_loss(job.settings["method"]["settings"]["loss"])
    images, texts = torch.eye(3), torch.eye(3)
    value = loss(images[1:], texts[1:], images, texts, torch.tensor(2.0), None, 1)
    assert value.item() == pytest.approx(torch.tensor([2.0, 0, 0]).softmax(0)[0].log().neg().item())


def test_a_dataset_of_ones_own(plan_with, module, tmp_path, monkeypatch):
    section = "A dataset of your own"
    module(section, "my_package.my_people")
    entries = yaml.safe_load(CATALOGUE.read_text("utf-8")) | yaml.safe_load(blocks(section, "yaml")[0])
    catalogue = tmp_path / "datasets.yaml"
    catalogue.write_text(yaml.safe_dump(entries), encoding="utf-8")
    table = tmp_path / "raw/people.csv"
    table.parent.mkdir()
    table.write_text("key,gender,job,split\na,female,nurse,train\nb,male,cook,train\n", encoding="utf-8")
    prepare_dataset(load_catalogue(catalogue)["my-people"], table.parent, tmp_path / "table.parquet")
    assert pd.read_parquet(tmp_path / "table.parquet")["gender"].tolist() == ["female", "male"]
    monkeypatch.setattr(loading.paths, "CATALOGUE", catalogue)
    plan = plan_with(section, number=1, study="lab")
    assert table_job(plan, "m4/conditions-mine").data == "real"


def test_the_other_entries_are_valid(plan_with):
    configuration = plan_with("More entries").configuration
    assert configuration.annotations["cc3m"].shards == 332
    assert configuration.recipes["one-gpu"].optimiser == "adafactor"
    assert configuration.recipes["fundus-small-10"].subsample.share == 0.1


def test_every_example_is_tested():
    assert len(SECTIONS) == 15
