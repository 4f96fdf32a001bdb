"""Targets: the parts of a study that can be asked for."""

from clipfair.core import paths
from clipfair.plan.data_targets import data_targets
from clipfair.plan.evaluation_jobs import predicted_folders
from clipfair.plan.targets import PAPERS, asked_tables, model_cards, paper_targets, study_targets, tables_of


def test_the_papers_and_the_summaries_are_the_whole_study(plan_of):
    for study in ("embedded", "embedded-full", "lab", "open", "paper", "questions", "paper-questions"):
        plan = plan_of(study)
        parts = [target for paper in PAPERS for target in paper_targets(plan, paper)]
        summaries = set(study_targets(plan)) - set(parts)
        of_study = [template.format(study=study) for template in (paths.PAGES, paths.PREDICTIONS)]
        assert summaries <= {*of_study, paths.TABLE5, paths.METRICS}
        assert set(parts) <= set(study_targets(plan))


def test_a_paper_has_its_own_tables(plan_of):
    targets = paper_targets(plan_of("paper"), "fairclip")
    assert "results/tables/paper/fairclip/table5.md" in targets
    assert not [target for target in targets if "/m4/" in target]


def test_every_batch_that_is_trained_has_one_model_card(plan_of):
    plan = plan_of("paper")
    cards = model_cards(plan)
    assert len(cards) == len(set(cards)) == len([batch for batch in plan.batches if plan.is_trained(batch)])
    assert not [card for card in cards if "method~zero-shot" in card]


def test_the_tables_that_targets_ask_for(plan_of):
    plan = plan_of("paper")
    assert asked_tables(plan, {"fairclip"}) == tables_of(plan, "fairclip")
    files = {"results/tables/paper/m4/table5.md", "results/tables/paper/m4/table5.compare.csv"}
    assert asked_tables(plan, files) == ["m4/table5"]
    assert asked_tables(plan, {"fairclip", *files})[-1] in (*tables_of(plan, "fairclip"), "m4/table5")
    for everything in ((), {"all"}, {"fairclip", "results/metrics.json"}):
        assert asked_tables(plan, everything) == list(plan.tables)


def test_data_are_what_new_runs_need_and_no_results(plan_of):
    plan = plan_of()
    targets = data_targets(plan)
    models = [target for target in targets if target.endswith("model.safetensors")]
    # The pretrained models that fine-tunings start from, one for each seed.
    starts = {plan.start_of(run) for batch in plan.batches for run in plan.runs_of(batch)} - {None}
    assert len(starts) == 3
    assert {plan.path_of(paths.MODEL, run) for run in starts} == set(models)
    assert plan.prepared_of("adult") in targets
    assert "results/balance/embedded/dataset~embedded-web/balance~proxies/keep.parquet" in targets
    assert not [target for target in targets if target.startswith(("results/tables", "results/evaluate"))]


def test_scores_of_evaluations_without_a_threshold_are_published(plan_of):
    evaluations = {"fundus-metrics": {"like": "fairvlmed-threshold-free", "dataset": "embedded-fundus"}}
    roles = {"eye-test": "fundus-metrics"}
    plan = plan_of(overlay={"evaluations": evaluations, "studies": {"embedded": {"roles": roles}}})
    assert "results/tables/embedded/predictions" in study_targets(plan)
    batches = [batch for name in ("fair-zero-shot", "fair-mmd") for batch in plan.grids[name].batches]
    assert {plan.path_of(paths.EVALUATE, batch) for batch in batches} <= set(predicted_folders(plan))
    assert not [folder for folder in predicted_folders(plan) if "dataset~embedded-web" in folder]
    published = predicted_folders(plan_of())
    assert published
    assert all("dataset~world-gap-rates" in folder for folder in published)
