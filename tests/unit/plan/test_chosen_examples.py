"""Conditions on examples: every study names columns that its dataset of faces or patients has."""

import pytest

from clipfair.data.datasets import fairface, harvard_fairvlmed
from clipfair.plan.evaluation_jobs import evaluation_settings
from tests.rehearsal.datasets import WRITERS

LOADERS = {"fairface": fairface.load, "harvard-fairvlmed": harvard_fairvlmed.load}
BY_RANK = "hash_rank"  # of the keys, not a column


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    """Dataset -> the columns of its prepared table."""
    folder = tmp_path_factory.mktemp("datasets")
    found = {}
    for name, load in LOADERS.items():
        (folder / name).mkdir()
        WRITERS[name](folder / name)
        found[name] = {*load(folder / name).columns, BY_RANK}
    return found


def conditions_of(plan, dataset):
    """What the evaluations and trainings of a study choose examples by."""
    for batch in plan.batches:
        recipe = plan.recipe_of(batch)
        if batch.dataset == dataset and recipe is not None and recipe.splits:
            yield from ((batch.key, name, part.where or {}) for name, part in recipe.splits)
    for name in {name for grid in plan.grids.values() for name in grid.evaluations}:
        evaluation = plan.configuration.evaluations[name]
        if evaluation.dataset == dataset:
            support = getattr(evaluation, "support", None) or []
            parts = support if isinstance(support, list) else [support]
            yield from ((name, "examples", part) for part in [evaluation.where or {}, *parts])


@pytest.mark.parametrize("study", ["lab", "open", "paper", "paper-questions", "questions"])
def test_examples_are_chosen_by_columns_of_their_dataset(study, plan_of, columns):
    plan = plan_of(study)
    found = [(dataset, *one) for dataset in LOADERS for one in conditions_of(plan, dataset)]
    assert found
    unknown = [(*about, set(part) - columns[dataset]) for dataset, *about, part in found]
    assert [one for one in unknown if one[-1]] == []


def test_an_entry_like_one_with_conditions_may_have_none(plan_of):
    evaluations = plan_of("questions").configuration.evaluations
    assert "where" in evaluation_settings(evaluations["fairvlmed-threshold-free"])
    assert "where" not in evaluation_settings(evaluations["fairface-units-metrics"])
