"""The study of open data on one GPU has what of both papers needs neither gated data nor pretraining."""

import pytest

from clipfair.core.paths import Run
from clipfair.plan.data_needed import datasets_needed, datasets_of, without
from clipfair.plan.evaluation_jobs import evaluation_job

EVALUATED = {
    "representation": {"imagenet"},
    "association": {"fairface", "utkface", "miap"},
    "zero_shot": {"imagenet", "cifar100", "pets"},
    "few_shot": {
        "imagenet", "colorectal", "birds", "uc-merced", "cifar100", "dtd", "caltech101", "pets"
    },
    "retrieval": {"coco"},
}  # fmt: skip


@pytest.fixture(scope="module")
def plan(plan_of):
    return plan_of("open")


def published(plan):
    """The batches of published models that the tables of CLIP the Bias read."""
    return plan.grids["m4-published"].batches


def test_no_dataset_is_gated_and_imagenet_alone_needs_a_login(plan):
    access = {name: plan.datasets[name].access for name in datasets_needed(plan)}
    assert {name: kind for name, kind in access.items() if kind != "open"} == {"imagenet": "login"}


def test_nothing_is_pretrained_and_nothing_starts_at_random(plan):
    trained = [batch for batch in plan.batches if plan.is_trained(batch)]
    assert {plan.configuration.methods[batch.method].kind for batch in trained} == {"finetune"}
    assert all(plan.model_of(batch).published is not None for batch in plan.batches)


def test_the_experiment_on_fairface_is_that_of_the_study_paper(plan, plan_of):
    assert plan.grids["fair-faces"].model_dump() == plan_of("paper").grids["fair-faces"].model_dump()
    methods = {batch.method for name in ("fair-faces", "fair-faces-aligned", "fair-faces-plus")
               for batch in plan.grids[name].batches}  # fmt: skip
    assert methods == {
        "zero-shot", "clip-ft", "clip-ft-released-validation", "clip-ft-all", "a-fairclip",
        "fairclip-plus-faces", "fairclip-plus-fairface",
    }  # fmt: skip
    assert {plan.recipe_of(batch).epochs for batch in plan.batches if plan.is_trained(batch)} == {20}
    assert {batch.model for batch in plan.batches if plan.is_trained(batch)} == {"openai-rn50"}


def test_published_models_are_evaluated_on_everything_that_is_open(plan):
    evaluations = plan.configuration.evaluations
    found: dict[str, set[str]] = {}
    for batch in published(plan):
        named = {name for grid in plan.grids_of(batch) for name in grid.evaluations}
        assert len(named) == 16
        for name in named:
            found.setdefault(evaluations[name].kind, set()).add(evaluations[name].dataset)
    assert found == EVALUATED


def test_the_published_models_differ_in_data_within_an_architecture(plan):
    models = [batch.model for batch in published(plan)]
    assert len(models) == len(set(models)) == 11
    makers = {"openai", "laion400m", "laion2b", "datacomp-l", "datacomp-xl", "cc12m"}
    assert {name.rpartition("-")[0] for name in models} == makers
    for encoder in ("rn50", "b32", "b16"):
        assert len([name for name in models if name.endswith(encoder)]) >= 2


def test_weights_are_fetched_once_from_an_address_that_does_not_change(plan):
    for batch in published(plan):
        weights = plan.model_of(batch).published
        if "huggingface" in weights.url:
            revision = weights.url.split("/resolve/")[1].split("/")[0]
            assert len(revision) == 40, weights.url
        elif "open_clip/releases" in weights.url:
            digits = weights.url.rpartition("-")[2].partition(".")[0]
            assert weights.sha256.startswith(digits)
        else:
            assert f"/{weights.sha256}/" in weights.url


def test_without_imagenet_only_its_representation_bias_is_lost(plan):
    rest = without(plan, ["imagenet"])
    assert set(plan.tables) - set(rest.tables) == {"m4/published-representation"}
    kinds = {rest.configuration.evaluations[name].kind for name in rest.grids["m4-published"].evaluations}
    assert kinds == EVALUATED.keys() - {"representation"}


def test_a_published_model_needs_no_data_to_train_on(plan):
    rest = without(plan, ["fairface"])
    assert {batch.dataset for batch in rest.batches} == {"none"}
    assert not any(rest.is_trained(batch) for batch in rest.batches)


def test_the_tables_of_faces_need_no_other_images(plan):
    for name in plan.tables:
        if name.startswith("fairclip/"):
            assert datasets_of(plan, name) == ["fairface"]
    for batch in plan.grids["fair-faces-published"].batches:
        assert set(evaluation_job(plan, batch).evaluations) == {"fairface-gender", "fairface-probe"}


def test_data_that_is_balanced_and_table5_are_those_of_the_study_lab(plan, plan_of):
    lab = plan_of("lab").tables
    shared = [name for name in lab if name.startswith("m4/")]
    assert [name for name in plan.tables if name in shared] == shared


def test_the_parts_of_the_probe_do_not_overlap(plan):
    probe = plan.configuration.evaluations["fairface-probe"]
    parts = [{"split": probe.split, **probe.where}, *probe.support]
    assert len({(part["split"], part["fairclip"]) for part in parts}) == 3
    assert probe.validation == "val"


def test_a_run_of_a_published_model_is_addressed_without_a_dataset(plan):
    run = Run("none", "none", "openai-b16", "zero-shot")
    assert plan.seeds_of(run) == [0]
    assert plan.recipe_of(run).gpus == 1
