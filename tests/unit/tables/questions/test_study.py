"""The tables of the study `questions`, built from its configuration on synthetic values of all its runs."""

from importlib import import_module

import pytest

from clipfair.plan.analysis_plan import read_analysis_plan
from clipfair.plan.loading import load_study
from clipfair.plan.table_jobs import table_job
from clipfair.tables.questions import question
from tests.unit.tables.drawing import cut_off, read_back
from tests.unit.tables.questions.synthetic_units import make_records, noise

PLAN = read_analysis_plan()
BASE = {
    "auc": 0.85,
    "worst_auc": 0.8,
    "validation_auc": 0.85,
    "matched_dpd": 0.2,
    "matched_deodds": 0.2,
    "auc_gap": 0.1,
    "validation_matched_dpd": 0.2,
    "parity_mean": 0.3,
    "association_mean": 0.2,
}


@pytest.fixture(scope="module")
def plan():
    return load_study("questions")


def value(run, kind, metric):
    """A loss that acts in proportion to λ, thresholds that work, and a fair world without a gap."""
    if metric.endswith("_floor"):
        return 0.02
    lam, gaps = min(float(run.lam), 3), metric.endswith(("dpd", "deodds", "gap"))
    found = BASE.get(metric, 0.5) * (0.1 if gaps and run.dataset == "world-fair" else 1)
    if gaps:
        is_control = kind == "group_thresholds" or run.method == "clip-ft-reweighed"
        found *= 0.3 if is_control else 1 - 0.2 * lam
    if metric in ("auc", "validation_auc", "worst_auc"):
        found -= 0.005 * lam
    return found + noise(run, f"{kind} {metric}", 0.01)


def questions_of(plan):
    return [name for name, table in plan.tables.items() if table.builder == "question"]


def test_each_question_of_the_plan_has_one_table(plan):
    asked = [plan.tables[name].settings["question"] for name in questions_of(plan)]
    assert asked == list(PLAN.questions)


@pytest.fixture(scope="module")
def built(plan):
    """Question -> its table and page."""
    found = {}
    for name in questions_of(plan):
        settings = table_job(plan, name).settings
        table, _, page = question.build(make_records(settings, value), None, settings)
        found[settings["question"]] = (table, page)
    return found


@pytest.mark.parametrize("name", PLAN.questions)
def test_every_claim_of_the_plan_is_judged_on_all_of_its_units(plan, built, name):
    table, page = built[name]
    claims = table[table["part"] == "claims"]
    planned = [claim for family in PLAN.questions[name].families.values() for claim in family]
    assert len(claims) == sum(claim.repeated for claim in planned)
    units = PLAN.questions[name].units
    [entry] = [table for table in plan.tables.values() if table.settings.get("question") == name]
    missing = len(entry.settings.get("missing_units", []))
    assert {units} <= set(claims["n"]) <= {units, units - missing}
    assert claims["verdict"].notna().all()
    margins = {claim.id: claim.margin for claim in planned}
    assert all(row.margin == margins[row.claim.partition(" ")[0]] for row in claims.itertuples())
    assert page.startswith(f"# {name}. {PLAN.questions[name].question}\n")


@pytest.mark.parametrize("name", PLAN.questions)
def test_figures_cut_nothing_off(plan, built, name, tmp_path):
    [entry] = [table for table in plan.tables.values() if table.settings.get("question") == name]
    draw = import_module(f"clipfair.tables.questions.{entry.figure}_figure").draw
    assert cut_off(draw(read_back(tmp_path, built[name][0]))) == []


def test_what_is_planted_is_found(built):
    claims = {
        name: table[table["part"] == "claims"].set_index("claim")["verdict"]
        for name, (table, _) in built.items()
    }
    assert claims["Q1"]["Q1.1"] == "holds"
    assert claims["Q1"]["Q1.7"] == "equivalent within the margin"
    assert claims["Q1"]["Q1.8"] == "holds"
    # The placebo has the same effect.
    assert set(claims["Q2"]) == {"equivalent within the margin"}
    assert "holds" in set(claims["Q5"])


def test_second_seeds_enter_no_test_and_show_the_share_of_draws(built):
    table, page = built["Q2"]
    shares = table[table["part"] == "variance"]
    assert set(shares["n"]) == {5}
    assert "## Draws and seeds" in page
