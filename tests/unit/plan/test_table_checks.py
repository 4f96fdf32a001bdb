"""What is trained or evaluated has a place in a table, and places in published tables exist."""

from dataclasses import replace

import pytest

from clipfair.core.errors import UserError
from clipfair.core.functions import module_names
from clipfair.data.embedded.planted import planted_associations
from clipfair.data.embedded.web_settings import WebSettings
from clipfair.plan.published import PublishedTable
from clipfair.plan.table_checks import check_published
from clipfair.plan.table_jobs import table_job
from clipfair.plan.table_settings import TABLE_SETTINGS


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"rows": {"baseline": "basline"}}, "m4/table1.rows.baseline: unknown row 'basline' (did you mean"),
        ({"rows": {"basline": "baseline"}}, "m4/table1.rows: unknown entry 'basline' (did you mean"),
        ({"variants": {"baseline": "basline"}}, "m4/table1.variants.baseline: unknown row 'basline'"),
        ({"datasets": {"cars-few-shot": "car"}}, "m4/table1.datasets.cars-few-shot: unknown dataset 'car'"),
        ({"datasets": {"cars": "cars"}}, "m4/table1.datasets: unknown entry 'cars'"),
        ({"metrics": {"accuracy": "accuracy"}}, "m4/table1.metrics.accuracy: unknown metric 'accuracy'"),
    ],
)
def test_a_place_in_a_published_table_that_does_not_exist_is_one_line(plan_of, places, message):
    plan = replace(plan_of(), published={"m4/table1": PublishedTable(**places)})
    with pytest.raises(UserError) as error:
        check_published("m4/table1", plan)
    assert str(error.value).startswith(f"resources/published/mapping.yaml: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("study", ["embedded", "embedded-full", "lab", "open", "paper"])
def test_all_published_places_exist(plan_of, study):
    plan = plan_of(study)
    for table in plan.published:
        check_published(table, plan)


def test_settings_are_of_builders_that_exist():
    for name in TABLE_SETTINGS:
        paper, builder = name.split(".")
        assert builder in module_names(f"tables/{paper}")


def test_the_stereotype_is_what_the_settings_of_the_data_plant(plan_of):
    overlay = {"generated": {"embedded-web": {"settings": {"association": 0.5}}}}
    planted = planted_associations(WebSettings(association=0.5)).set_index("attribute")["association"]
    found = table_job(plan_of(overlay=overlay), "m4/known-answers").settings["stereotype"]
    assert len(found) == 12
    for name, value in found.items():
        assert value == pytest.approx(planted[f"occupation={name}"], abs=5e-4)


def test_a_study_may_build_a_part_of_what_its_grids_are_for(plan_of):
    plan = plan_of(overlay={"studies": {"embedded": {"tables": ["m4/figure2"]}}})
    assert list(plan.grids) == ["m4-single", "m4-b16"]


def test_a_condition_that_a_table_names_has_a_place(plan_of):
    conditions = ["baseline", "drop-human-25", "quality-filtered"]
    shares = {"baseline": 1, "drop-human-25": 0.75, "quality-filtered": 0.9}
    overlay = {
        "studies": {"embedded": {"grids": {"m4-human-share": {"balances": conditions}}}},
        "tables": {"m4/figure11": {"settings": {"human_shares": shares}}},
    }
    assert plan_of(overlay=overlay).grids["m4-human-share"].balances == conditions
