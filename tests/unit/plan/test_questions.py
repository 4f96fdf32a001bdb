"""Tables of questions: a contrast for each planned claim, and the runs and units that it needs."""

import pandas as pd
import pytest

from clipfair.core.code_digest import code_closure
from clipfair.core.errors import UserError
from clipfair.core.paths import ROOT
from clipfair.plan.analysis_plan import read_analysis_plan
from clipfair.plan.table_jobs import table_job

PLAN = read_analysis_plan()
Q2 = "questions/q2"


def overlay(**settings):
    """The settings of Q2, changed."""
    return {"tables": {Q2: {"settings": settings}}}


def test_a_builder_takes_everything_about_a_claim_from_the_plan(plan_of):
    settings = table_job(plan_of("questions"), Q2).settings
    assert settings["planned"] == PLAN.questions["Q2"].model_dump()
    assert settings["rules"]["level"] == PLAN.level
    assert settings["checks"]["gap-score"]["at_least"] == PLAN.worlds["gap-score"].check.at_least
    assert settings["contrasts"]["Q2.2"]["of"][0]["lam"] == "1"
    assert settings["draws"] == {"gap-rates": 16, "gap-score": 16}


def test_a_new_key_of_the_configuration_makes_no_table_of_a_question_again(plan_of):
    plan = plan_of("questions")
    for name in plan.tables:
        closure = code_closure(*table_job(plan, name).modules)
        found = {module for module in closure if module.startswith("clipfair.plan.configuration.")}
        assert found <= {"clipfair.plan.configuration.types"}, name


def test_a_metric_has_one_margin_in_the_plan():
    margins = {}
    for claim in PLAN.claims:
        margins.setdefault(claim.metric, set()).add(claim.margin)
    assert all(len(found) == 1 for found in margins.values())


@pytest.mark.parametrize("name", PLAN.questions)
def test_claims_are_judged_on_the_units_of_the_plan_and_grids_have_no_others(plan_of, name):
    plan, units = plan_of("questions"), PLAN.questions[name].units
    [table] = [table for table in plan.tables.values() if table.settings.get("question") == name]
    missing = set(table.settings.get("missing_units", []))
    whole = (set(range(units)), set(range(16)))
    for grid in (plan.grids[grid] for grid in table.grids):
        first = {seed for seed in grid.seeds if seed < 16}
        assert first in (set(), *whole, *(seeds - missing for seeds in whole))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (overlay(contrasts={"Q2.9": {"of": [{"method": "a-fairclip-w2"}]}}), "unknown claim of Q2 'Q2.9'"),
        (overlay(question="Q9"), "unknown question 'Q9'"),
        (
            overlay(worlds={"gap-rates": "world-fair"}),
            "worlds.gap-rates: unknown dataset of this table's grids",
        ),
        (
            overlay(contrasts={"Q2.2": {"of": [{"method": "a-fairclip-w2"}]}}),
            "Q2.2: 4 settings of runs are method a-fairclip-w2 in gap-rates (world-gap-rates); expected one",
        ),
        (
            overlay(contrasts={"Q2.2": {"of": [{"method": "clip-ft"}]}}),
            "0 settings of runs are method clip-ft",
        ),
        (
            overlay(contrasts={"Q2.2": {"of": [{"method": "clip-ft-all", "kind": "linear_probe"}]}}),
            "no evaluation of kind 'linear_probe'",
        ),
        (overlay(contrasts={"Q2.2": {"of": [{"methd": "clip-ft-all"}]}}), "unknown setting 'methd'"),
        ({"grids": {"world-rates-placebo": {"seeds": [0, 1, 2]}}}, "no seed 3, 4, 5"),
        (
            {"tables": {"questions/q5": {"settings": {"contrasts": {"Q5.1": {"methods": ["a-fairclip"]}}}}}},
            "has 1 methods; the plan has 7",
        ),
    ],
)
def test_what_does_not_fit_the_plan_is_an_error_before_any_job(plan_of, change, message):
    with pytest.raises(UserError) as error:
        plan_of("questions", overlay=change)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_claim_without_a_contrast_is_an_error(plan_of):
    contrasts = plan_of("questions").tables[Q2].settings["contrasts"]
    kept = {name: contrast for name, contrast in contrasts.items() if name != "Q2.4"}
    # A mapping is merged key by key: the whole table is written again under another name.
    table = plan_of("questions").configuration.tables[Q2].model_dump(exclude_defaults=True)
    table["settings"] = {**table["settings"], "contrasts": kept}
    study = {"studies": {"questions": {"tables": ["questions/q2-part"]}}}
    with pytest.raises(UserError, match=r"no contrast for claim Q2\.4 of the plan"):
        plan_of("questions", overlay={"tables": {"questions/q2-part": table}, **study})


def test_the_trainings_of_each_question_are_those_of_the_page(plan_of):
    plan, seen = plan_of("questions"), set()
    lines = []
    added = {"placebo of Q1": "questions/q1-placebo", "control of Q7": "m4/known-answers-q7"}
    for name in (*PLAN.questions, *added):
        [table] = [
            table
            for key, table in plan.tables.items()
            if (key == added[name] if name in added else table.settings.get("question") == name)
        ]
        grids = [plan.grids[grid] for grid in table.grids]
        runs = {(batch, seed) for grid in grids for batch in grid.batches for seed in grid.seeds} - seen
        seen |= runs
        kinds = [plan.configuration.methods[batch.method].kind for batch, _ in runs]
        lines.append(f"| {name} | {kinds.count('finetune')} | {kinds.count('pretrain')} |")
    assert "\n".join(lines) in (ROOT / "docs/tables.md").read_text(encoding="utf-8")


def test_published_gains_are_those_of_the_table_of_fairclip(plan_of):
    published = pd.read_csv(ROOT / "resources/published/fairclip.csv")
    gains = plan_of("questions").tables["questions/q4"].settings["published_gains"]
    of_table = published[(published["table"] == "original-table3") & (published["dataset"] == "ViT-B/16")]

    def gain(metric):
        rows = of_table[of_table["metric"] == metric].set_index("row")["mean"]
        return rows["FairCLIP-race"] - rows["CLIP"]

    assert gains["Q4.3"] == -gains["Q4.5"] == pytest.approx(gain("AUC"))
    assert gains["Q4.4"] == -gains["Q4.6"] == pytest.approx(gain("race: DPD"))


def test_a_trial_run_needs_only_its_units(plan_of):
    grids = (
        "world-rates-plain",
        "world-rates-loss",
        "world-rates-placebo",
        "world-score-plain",
        "world-score-loss",
        "world-score-placebo",
    )
    trial = overlay(trial_units=2) | {"grids": {name: {"seeds": [0, 1]} for name in grids}}
    trial |= {"studies": {"questions": {"tables": [Q2]}}}
    assert table_job(plan_of("questions", overlay=trial), Q2).settings["trial_units"] == 2


def test_units_whose_runs_ended_twice_are_named(plan_of):
    seeds = [seed for seed in range(16) if seed != 3]
    lost = {"grids": {"world-rates-placebo": {"seeds": seeds}}}
    with pytest.raises(UserError, match="no seed 3;"):
        plan_of("questions", overlay=lost)
    plan_of("questions", overlay=lost | overlay(missing_units=[3]))
