"""What jobs are made from: one lookup by run, dataset or search."""

import itertools
import re
from dataclasses import replace

import pytest

from clipfair.core import paths
from clipfair.core.errors import UserError
from clipfair.core.paths import Run
from clipfair.plan.data_jobs import annotation_job, condition_job, loader_settings, shard_paths
from clipfair.plan.evaluation_jobs import (
    batches_of_one_job,
    batches_of_two_jobs,
    evaluation_job,
    probe_job,
    record_folders,
)
from clipfair.plan.search_jobs import search_job
from clipfair.plan.tabular_jobs import tabular_job
from clipfair.plan.training_jobs import (
    fetched_models,
    fetched_vocabularies,
    model_settings,
    tower_weights,
    training_job,
    training_rules,
    vocabulary_file,
)

WEB = Run("embedded-web", "proxies-10-baseline", "small-32-r64", "clip")
FAIR = Run("embedded-fundus", "none", "small-baseline", "a-fairclip", "race", "0.07", 2)


def test_settings_of_a_training_hold_all_that_decides_it_and_nothing_of_others(plan_of):
    settings = training_job(plan_of(), FAIR).settings
    assert set(settings) == {"run", "version", "model", "recipe", "method", "fairness", "stages"}
    assert settings["run"] == {
        "dataset": "embedded-fundus",
        "balance": "none",
        "model": "small-baseline",
        "method": "a-fairclip",
        "attr": "race",
        "lam": "0.07",
        "seed": 2,
    }
    assert settings["fairness"] == {"lam": 0.07, "weights": {"race": 1.0}}
    assert settings["method"]["kind"] == "finetune"
    assert settings["method"]["settings"]["distance"]["scaling"] == 0.95
    assert settings["model"]["width"] == 32
    assert settings["recipe"]["max_characters"] == 180
    assert "name" not in settings["model"]


def test_a_training_on_pairs_reads_keep_lists_and_a_fine_tuning_the_table(plan_of):
    plan = plan_of()
    web, fair = training_job(plan, WEB), training_job(plan, FAIR)
    assert web.table == []
    assert [file.split("balance~")[1] for file in web.keep] == [
        "proxies/keep.parquet",
        "baseline/keep.parquet",
    ]
    assert web.settings["fairness"] is None
    assert web.weights == []
    assert fair.keep == []
    assert fair.table == [plan.prepared_of("embedded-fundus")]
    start = "dataset~embedded-web/balance~baseline/model~small-32-r64/method~clip/attr~none/lam~0/seed~2"
    assert fair.weights == [f"results/train/embedded/{start}/model.safetensors"]


def blocks_of(plan, method):
    return [rule.seeds for rule in training_rules(plan) if method in {batch.method for batch in rule.batches}]


def test_seeds_of_a_small_recipe_share_a_process_in_blocks_that_a_new_seed_does_not_change(plan_of):
    def siglip_blocks(seeds):
        overlay = {"studies": {"embedded": {"grids": {"m4-siglip": {"seeds": seeds}}}}}
        return blocks_of(plan_of(overlay=overlay), "siglip-small")

    assert siglip_blocks([0, 1, 2, 3, 4]) == [("0", "1", "2"), ("3", "4")]
    assert siglip_blocks([0, 1, 2, 4, 7, 8]) == [("0", "1", "2"), ("4",), ("7", "8")]
    assert [rule.name for rule in training_rules(plan_of("paper"))] == ["train_model"]


def test_a_rule_of_training_matches_the_paths_of_its_batches_alone(plan_of):
    plan = plan_of("embedded-full", {"recipes": {"fundus-small": {"seeds_per_process": 1}}})
    rules = training_rules(plan)
    assert [rule.name for rule in rules] == ["train_model", "train_seeds_0_1_2", "train_seeds_3_4"]
    for rule in rules:
        pattern = re.compile(f"/lam~(?:{paths.batch_pattern(rule.batches)})/seed~")
        matching = {batch for batch in plan.batches if pattern.search(plan.path_of(paths.MODEL, batch))}
        assert matching == set(rule.batches) != set()


def test_small_models_are_embedded_and_evaluated_by_one_job_others_by_two(plan_of):
    recipes = {"small": {"seeds_per_process": 1}, "faces-small": {"keep_embeddings": False}}
    plan = plan_of(overlay={"recipes": recipes})
    kept, removed = (set(batches_of_one_job(plan, keep_embeddings=keep)) for keep in (True, False))
    two = set(batches_of_two_jobs(plan))
    assert kept | removed | two == set(plan.batches)
    assert len(kept) + len(removed) + len(two) == len(plan.batches)
    assert {batch.dataset for batch in two} == {"embedded-web", "embedded-web-fair"}
    assert {batch.dataset for batch in kept} == {"embedded-fundus"}
    assert {batch.dataset for batch in removed} == {"embedded-faces", "world-gap-rates"}


def test_what_is_kept_changes_no_model_and_no_evaluation(plan_of):
    other = plan_of(overlay={"recipes": {"fundus-small": {"keep_embeddings": False}}})
    assert training_job(other, FAIR).settings == training_job(plan_of(), FAIR).settings
    batch = replace(FAIR, seed=0)
    assert evaluation_job(other, batch) == evaluation_job(plan_of(), batch)


def test_a_display_name_changes_no_job(plan_of):
    overlay = {"methods": {"a-fairclip": {"name": "Ours"}}, "models": {"small-baseline": {"name": "tiny"}}}
    assert training_job(plan_of(overlay=overlay), FAIR).settings == training_job(plan_of(), FAIR).settings


def test_files_of_published_weights_are_shared_by_models_that_have_the_same(plan_of):
    overlay = {"models": {"more-queries": {"like": "blip2-l14", "queries": 64}}}
    plan = plan_of("paper", overlay)
    fetched = fetched_models(plan)
    assert {"openai-b16", "openai-l14", "openai-rn50", "blip2-l14"} <= set(fetched)
    files = {plan.configuration.models[name].published.url for name in fetched}
    assert len(files) == len(fetched)
    assert not {"more-queries", "blip2-l14-from-clip"} & set(fetched)
    assert fetched_vocabularies(plan) == ["blip2-l14"]
    assert tower_weights(plan, "blip2-l14") == ["data/weights/openai-l14.safetensors"]
    assert tower_weights(plan, "openai-l14") == []
    for model in ("blip2-l14", "more-queries"):
        assert vocabulary_file(plan, model) == ["data/weights/blip2-l14.vocabulary.txt"]
        tokenizer = {"kind": "bert", "vocabulary": "data/weights/blip2-l14.vocabulary.txt"}
        assert model_settings(plan, model)["tokenizer"] == tokenizer
    assert vocabulary_file(plan, "openai-l14") == []


def test_probes_on_augmented_images_have_a_job_of_their_own(plan_of):
    plan = plan_of("paper")
    batch = Run("harvard-fairvlmed", "none", "openai-l14", "clip-ft-released-validation")
    assert list(evaluation_job(plan, batch).evaluations) == ["fairvlmed-test", "fairvlmed-val"]
    probes = ["fairvlmed-probe", "fairvlmed-probe-multimodal"]
    assert list(probe_job(plan, batch).evaluations) == probes
    folders = [plan.path_of(template, batch) for template in (paths.EVALUATE, paths.PROBE)]
    assert record_folders(plan, batch) == folders


def test_a_zero_shot_method_evaluates_the_model_that_it_starts_from(plan_of):
    batch = Run("embedded-fundus", "none", "small-baseline", "zero-shot")
    job = evaluation_job(plan_of(), batch)
    [part] = job.parts
    assert [model["spec"] for model in part["models"]] == [None] * 3
    assert job.snapshots == []
    starts = [model["weights"] for model in part["models"]]
    assert all(file.startswith("results/train/embedded/dataset~embedded-web/") for file in starts)
    assert [file.split("/")[-2] for file in starts] == ["seed~0", "seed~1", "seed~2"]


def test_published_weights_are_one_checkpoint_for_all_seeds(plan_of):
    batch = Run("harvard-fairvlmed", "none", "openai-b16", "zero-shot")
    [part] = evaluation_job(plan_of("paper"), batch).parts
    assert [model["weights"] for model in part["models"]] == ["data/weights/openai-b16.safetensors"] * 3


def test_images_of_the_papers_classification_are_resized_to_256_and_cropped(plan_of):
    """Table 1, the 10-shot column of Table 3 and Figure 17, and zero-shot classification."""
    plan = plan_of("paper")
    batch = next(run for run in plan.batches if run.model == "b16-r768")
    evaluations = evaluation_job(plan, batch).evaluations
    resized = {name: settings.get("resize") for name, settings in evaluations.items()}
    classification = {name for name in resized if name.endswith(("-few-shot", "-zero-shot"))}
    assert len(classification) == 9 + 3
    assert {name for name, side in resized.items() if side == 256} == classification
    assert {side for name, side in resized.items() if name not in classification} == {None}


def test_images_of_the_synthetic_study_are_not_resized(plan_of):
    assert not any("resize" in one for one in evaluation_job(plan_of(), WEB).evaluations.values())


def test_occupations_of_an_evaluation_are_spelled_out(plan_of):
    batch = Run("cc12m", "baseline", "b32-r768", "clip")
    occupations = evaluation_job(plan_of("paper"), batch).evaluations["fairface-association"]["occupations"]
    assert "nurse" in occupations
    assert len(occupations) == len(set(occupations)) > 50


def test_a_mitigation_has_the_settings_of_its_task_and_grid(plan_of):
    settings = tabular_job(plan_of(), Run("adult", model="mlp-128", method="rto-0.05", attr="sex")).settings
    assert settings["settings"] == {"gamma": 0.05}
    assert (settings["label"], settings["seeds"]) == ("income", list(range(10)))
    with pytest.raises(UserError, match="has no run"):
        tabular_job(plan_of(), Run("adult", model="mlp-128", method="rto-7", attr="sex"))


def test_a_search_varies_one_training(plan_of):
    job = search_job(plan_of(), "fairclip-plus-small")
    assert job.settings["training"]["fairness"] == {"lam": 1.0, "weights": {"race": 0.5, "gender": 0.5}}
    assert list(job.settings["space"]) == ["recipe.learning_rate", "fairness.lam"]
    assert len(job.parts) == 2
    assert job.scratch_of(1) == "scratch/embedded/search~fairclip-plus-small/part~1"


def test_annotations_by_source(plan_of):
    plan = plan_of()
    assert len(annotation_job(plan, "embedded-web").files) == 6
    assert annotation_job(plan, "embedded-captions").files[0].endswith("/captions.parquet")
    assert annotation_job(plan, "fairface-labels").files == [plan.prepared_of("fairface-labels")]
    assert annotation_job(plan, "cc12m").encoder == "data/weights/openai-b16.safetensors"
    assert (annotation_job(plan, "cc12m").gpus, annotation_job(plan, "embedded-web").gpus) == (1, 0)
    with pytest.raises(UserError, match="annotations: no entry of dataset 'adult'"):
        annotation_job(plan, "adult")


def test_shards_of_real_data_are_those_in_the_mirror_folder(plan_of, tmp_path):
    overlay = {"mirror": str(tmp_path), "annotations": {"cc12m": {"shards": 3}}}
    names = [f"00000{name}" for name in ["000", "001", "003", "007"]]
    before = annotation_job(plan_of(overlay=overlay), "cc12m")
    assert [file[-14:-8] for file in before.files] == ["~00000", "~00001", "~00002"]
    for name in names:
        path = tmp_path / f"cc12m/shards/small/{name}.tar"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    plan = plan_of(overlay=overlay)
    after = annotation_job(plan, "cc12m")
    assert [file.rpartition("shard~")[2] for file in after.files] == [f"{name}.parquet" for name in names]
    assert after.settings == before.settings
    assert shard_paths(plan, "cc12m")[3] == f"{plan.raw_of('cc12m')}/shards/small/00000007.tar"


def test_a_condition_within_another_and_one_that_rewrites(plan_of):
    plan = plan_of()
    within = condition_job(plan, "embedded-web", "quality-filtered-proxies")
    assert within.within == [
        "results/balance/embedded/dataset~embedded-web/balance~quality-filtered/keep.parquet"
    ]
    assert within.settings["settings"]["labels"] == ["occupation", "proxy"]
    assert len(condition_job(plan, "embedded-web", "neutralise").rewritten) == 6
    assert within.rewritten == []


@pytest.mark.parametrize(
    ("per_job", "sizes"), [(6, []), (5, [3, 3]), (4, [3, 3]), (2, [2, 2, 2]), (1, [1] * 6)]
)
def test_shards_are_counted_and_sampled_in_even_groups(plan_of, per_job, sizes):
    plan = plan_of(overlay={"annotations": {"embedded-web": {"shards_per_job": per_job}}})
    job = condition_job(plan, "embedded-web", "neutralise")
    groups = [job.of_group(job.annotations, group) for group in job.groups]
    assert [len(group) for group in groups] == sizes
    assert list(itertools.chain(*groups)) == (job.annotations if sizes else [])
    assert [len(job.of_group(job.rewritten, group)) for group in job.groups] == sizes
    settings = condition_job(plan_of(), "embedded-web", "neutralise").settings
    assert job.settings == settings
    assert annotation_job(plan, "embedded-web") == annotation_job(plan_of(), "embedded-web")


def test_a_synthetic_dataset_is_loaded_as_its_format_and_its_counts_are_not_checked(plan_of):
    settings = loader_settings(plan_of(), "embedded-faces")
    assert (settings["format"], settings["subset"]) == ("fairface", True)
    assert loader_settings(plan_of(), "adult")["subset"] is False
