"""The sample of a study: a few results of each kind, none that needs a GPU."""

from clipfair.core.paths import Run
from clipfair.plan.verification.sample import sample_results


def kinds_of(plan):
    return [result.kind for result in sample_results(plan)]


def test_the_synthetic_study_has_every_kind(plan_of):
    assert kinds_of(plan_of()) == [
        "M4 condition",
        "mitigation",
        "mitigation",
        "pretraining",
        "fine-tuning",
        "fine-tuning",
        "evaluation",
    ]


def test_fine_tunings_start_from_the_pretraining_and_one_has_a_fairness_loss(plan_of):
    plan = plan_of()
    runs = {result.kind: [] for result in sample_results(plan)}
    for result in sample_results(plan):
        if result.kind in ("pretraining", "fine-tuning"):
            runs[result.kind].append(Run.from_key(result.name))
    assert {plan.start_of(run) for run in runs["fine-tuning"]} == set(runs["pretraining"])
    without, with_loss = runs["fine-tuning"]
    assert (without.lam, without.attr) == ("0", "none")
    assert with_loss.lam != "0"


def test_trainings_on_gpus_are_no_part_of_it(plan_of):
    assert set(kinds_of(plan_of("paper"))) == {"M4 condition", "mitigation"}
