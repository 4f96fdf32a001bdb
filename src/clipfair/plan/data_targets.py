"""Inputs of new runs of a study: data, conditions and initial weights."""

from collections.abc import Iterator

from clipfair.core import paths
from clipfair.plan.data_needed import datasets_needed
from clipfair.plan.search_jobs import search_job
from clipfair.plan.study_plan import StudyPlan
from clipfair.plan.training_jobs import TrainingJob, training_job


def data_targets(plan: StudyPlan) -> list[str]:
    """The prepared tables, keep-lists and initial weights of a study, each once.

    Weights that a training of the study produces are included where another one starts from them. Existing
    results are not: these files can be made for results that were recorded elsewhere.
    """
    needed = datasets_needed(plan)
    tables = [plan.prepared_of(name) for name in needed]
    contents = [paths.contents_of(plan.raw_of(name)) for name in needed]
    inputs = [file for job in _training_jobs(plan) for file in (*job.keep, *job.weights, *job.vocabulary)]
    return list(dict.fromkeys([*tables, *contents, *inputs]))


def _training_jobs(plan: StudyPlan) -> Iterator[TrainingJob]:
    """Every training of the study, and the one that each search varies."""
    for batch in plan.batches:
        if plan.is_trained(batch):
            yield from (training_job(plan, run) for run in plan.runs_of(batch))
    for name in plan.searches:
        yield search_job(plan, name).training
