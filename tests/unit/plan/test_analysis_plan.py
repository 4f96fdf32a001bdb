"""The analysis plan: the page is that of the file, and its claims can be decided by its tests."""

import pytest

from clipfair.core.settings import Violation, parse
from clipfair.data.embedded.fundus_settings import FundusSettings
from clipfair.metrics.statistics import CONFIDENCE
from clipfair.plan.analysis_plan import AnalysisPlan, family_size, read_analysis_plan
from clipfair.plan.analysis_plan_page import PAGE, render, unit_deviation
from clipfair.plan.loading import load_study
from clipfair.tables.m4.finding_claims import CONTRASTS
from clipfair.tables.questions.web_worlds import CONTROL_SETTINGS

PLAN = read_analysis_plan()
FAMILIES = [
    (name, family, claims, question.units)
    for name, question in PLAN.questions.items()
    for family, claims in question.families.items()
]


def test_the_page_is_current():
    text = PAGE.read_text(encoding="utf-8")
    assert text == render(), "run python -m clipfair.plan.analysis_plan_page and review what has changed"


def test_every_question_has_hypothesis_claims_and_what_would_refute_it():
    assert list(PLAN.questions) == [f"Q{number}" for number in range(1, 9)]
    for name, question in PLAN.questions.items():
        assert "primary" in question.families
        assert question.units % 2 == 0, f"{name}: its units have no halves"
        assert {claim.world for claim in question.families["primary"]} <= {*question.worlds, "all three"}


def test_thresholds_in_code_are_those_of_the_plan():
    assert PLAN.confidence == CONFIDENCE
    assert [contrast.id for contrast in CONTRASTS] == [
        claim.id for claim in PLAN.questions["Q7"].families["primary"]
    ]


@pytest.mark.parametrize(("name", "family", "claims", "units"), FAMILIES)
def test_a_sign_flip_test_of_the_units_can_reach_the_level_of_holms_first_step(name, family, claims, units):
    if {claim.expected for claim in claims} != {"equivalent"}:
        assert 2 / 2**units <= PLAN.level / family_size(claims), (name, family)


def test_the_deviation_of_a_unit_is_that_of_the_pilots_interval():
    """λ 1, true less shuffled: -0.2 [-2.5, +2.1] over 5 draws of means over 2 seeds.

    The t quantile of 4 degrees of freedom is 2.776: 2.3 = 2.776 s / sqrt(5), and s * sqrt(2) is a unit's.
    """
    found = unit_deviation(PLAN.pilot.differences["placebo-1"], PLAN)
    assert found == pytest.approx(2.3 * 5**0.5 / 2.776 * 2**0.5, rel=1e-3)


@pytest.mark.parametrize("world", PLAN.worlds)
def test_the_configuration_has_the_settings_of_the_plan(world):
    entry = load_study("embedded").configuration.generated[f"world-{world}"]
    assert entry.settings == PLAN.common_settings | PLAN.worlds[world].settings
    assert entry.draws == max(question.units for question in PLAN.questions.values())


def test_question_4_has_the_settings_of_its_world_and_fewer_training_examples():
    [world] = PLAN.questions["Q4"].worlds
    entry = load_study("embedded").configuration.generated["world-overfit"]
    expected = PLAN.common_settings | PLAN.worlds[world].settings | PLAN.overfit_settings
    assert entry.settings == expected
    assert entry.draws >= PLAN.questions["Q4"].units


def test_the_configuration_has_the_pairs_of_the_plan():
    generated = load_study("embedded").configuration.generated
    entry = generated["web-associated"]
    assert entry.settings == PLAN.web_settings
    assert generated["web-unbiased"].settings == PLAN.web_settings | CONTROL_SETTINGS
    assert entry.draws >= PLAN.questions["Q7"].units


@pytest.mark.parametrize("world", PLAN.worlds)
def test_settings_of_worlds_exist_and_no_group_is_below_200(world):
    settings = parse(FundusSettings, PLAN.common_settings | PLAN.worlds[world].settings)
    assert settings.test >= 4000
    for attribute in ("race", "gender", "ethnicity", "language"):
        assert min(getattr(settings, attribute).values()) * settings.test >= 200


def test_a_deviation_is_of_a_question_and_later_than_the_plan():
    deviation = {"date": "2026-12-01", "question": "Q2", "what": "More units", "why": "A draw failed."}
    values = PLAN.model_dump()
    assert parse(AnalysisPlan, values | {"deviations": [deviation]}).deviations[0].question == "Q2"
    with pytest.raises(Violation, match="unknown question 'Q9'"):
        parse(AnalysisPlan, values | {"deviations": [deviation | {"question": "Q9"}]})
    with pytest.raises(Violation, match="2026-01-01 is before the plan"):
        parse(AnalysisPlan, values | {"deviations": [deviation | {"date": "2026-01-01"}]})


def test_a_claim_about_an_unknown_metric_is_refused():
    values = PLAN.model_dump()
    values["questions"]["Q1"]["families"]["primary"][0]["metric"] = "matched-dpp"
    with pytest.raises(Violation, match="unknown metric 'matched-dpp'"):
        parse(AnalysisPlan, values)
    with pytest.raises(KeyError, match=r"unknown claim of the analysis plan 'Q9.1'"):
        PLAN.claim("Q9.1")


def test_the_margin_of_a_metric_is_that_of_all_its_claims():
    for claim in PLAN.claims:
        assert PLAN.margin(claim.metric) == claim.margin
    with pytest.raises(ValueError, match="0 margins of 'accuracy', expected one"):
        PLAN.margin("accuracy")
