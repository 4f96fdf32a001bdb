"""The plan of a study: which files it comes from, and what a value of another study does to it."""

import subprocess
import sys

import pytest
import yaml

from clipfair.core.paths import ROOT
from clipfair.evaluate.probe.head import ProbeSettings
from clipfair.plan.configuration.evaluations import PROBE_EPOCHS, PROBE_WARM_UP
from clipfair.plan.configuration_files import configuration_files, read_configuration
from clipfair.plan.data_needed import datasets_needed
from clipfair.plan.loading import load_plan, load_study

STUDIES = sorted(read_configuration(configuration_files(ROOT))["studies"])


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_of_the_repository_is_valid(study):
    plan = load_study(study)
    assert plan.study == study
    needed = set(datasets_needed(plan))
    assert needed <= set(plan.datasets)
    assert ({"adult", "credit-default"} <= needed) == ("m4/table5" in plan.tables)


def test_planning_does_not_import_torch():
    code = (
        "import sys; from clipfair.plan.loading import load_study; from clipfair.plan.targets import "
        "study_targets; study_targets(load_study()); print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_a_file_of_ones_own_takes_precedence(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("grids: {table5: {seeds: [3]}}\nclassifiers: {mlp-128: {epochs: 1}}\n", encoding="utf-8")
    plan = load_study(overlays=[mine])
    assert plan.tabular_grids["table5"].seeds == [3]
    assert plan.configuration.classifiers["mlp-128"].epochs == 1
    assert plan.configuration.classifiers["mlp-128"].hidden_units == 128


def test_a_message_names_the_file_that_set_the_value(error_of):
    files = configuration_files(ROOT)
    config = read_configuration(files)
    assert error_of(load_plan, config | {"study": "papre"}, files).startswith(
        "--config: study: unknown study"
    )
    config["grids"]["table5"]["seeds"] = []
    assert error_of(load_plan, config, files).startswith("--config: grids.table5.seeds: [] has 0 items")


def test_a_message_names_the_entry_that_an_entry_is_like_and_the_role(error_of, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("studies: {embedded: {roles: {eye-recipe: fundus}}}", encoding="utf-8")
    message = error_of(load_study, overlays=[mine])
    assert message.startswith(f"{mine}: studies.embedded.roles.eye-recipe: unknown recipe 'fundus'")
    assert message.endswith("(in grids.fair-clip.recipe)")
    mine.write_text("studies: {embedded: {grids: {m4-siglip: {seeds: [0, 0]}}}}", encoding="utf-8")
    message = error_of(load_study, overlays=[mine])
    assert message == f"{mine}: studies.embedded.grids.m4-siglip.seeds: 0 is listed twice"


@pytest.mark.parametrize(
    ("written", "study", "place"),
    [
        # in a list of several roles: the one that binds the value
        ("{embedded: {roles: {retrieval: nothing}}}", "embedded", "studies.embedded.roles.retrieval: "),
        (
            "{embedded: {roles: {swept-lams: [1, much]}}}",
            "embedded",
            "studies.embedded.roles.swept-lams[1]: ",
        ),
        # of the study that an other is like
        ("{embedded: {roles: {eyes: nothing}}}", "embedded-full", "studies.embedded.roles.eyes: "),
        (
            "{embedded-full: {roles: {swept-lams: [x]}}}",
            "embedded-full",
            "studies.embedded-full.roles.swept-lams[0]",
        ),
        (
            "{embedded: {roles: {swept-lam: [5]}}}",
            "embedded",
            "studies.embedded.roles.swept-lam: unknown role",
        ),
        (
            "{embedded: {grids: {m4-siglp: {seeds: [0]}}}}",
            "embedded",
            "studies.embedded.grids.m4-siglp: miss",
        ),
    ],
)
def test_a_message_names_the_role_or_the_grid_of_a_study(error_of, tmp_path, written, study, place):
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"studies: {written}", encoding="utf-8")
    assert error_of(load_study, study, overlays=[mine]).startswith(f"{mine}: {place}")


def test_a_value_that_several_roles_may_have_is_reported_where_it_is_used(error_of, tmp_path):
    mine = tmp_path / "mine.yaml"
    roles = "{association: [nothing], few-shot: [nothing]}"
    mine.write_text(f"studies: {{embedded: {{roles: {roles}}}}}", encoding="utf-8")
    message = error_of(load_study, overlays=[mine])
    assert message.startswith("config/tables/m4.yaml: ")
    assert message.endswith("see studies.embedded.roles)")


def test_a_message_says_how_a_list_is_written(error_of, tmp_path):
    files = configuration_files(ROOT)
    config = read_configuration(files) | {"subset": "fairface"}
    message = error_of(load_plan, config, files)
    assert message == "--config: subset: 'fairface' should be a list; write \"subset=[fairface]\""
    mine = tmp_path / "mine.yaml"
    mine.write_text("subset: fairface", encoding="utf-8")
    message = error_of(load_study, overlays=[mine])
    assert message == f"{mine}: subset: 'fairface' should be a list; write [fairface]"


def test_a_message_names_the_entry_that_settings_are_taken_from(error_of, tmp_path):
    mine, base = tmp_path / "mine.yaml", tmp_path / "base.yaml"
    base.write_text("tables: {m4/base: {like: m4/figure6, settings: {shown: [nothing]}}}", encoding="utf-8")
    own = "m4/own: {like: m4/base, settings: {metrics: [accuracy]}}"
    mine.write_text(f"tables: {{{own}}}\nstudies: {{embedded: {{tables: [m4/own]}}}}", encoding="utf-8")
    message = error_of(load_study, overlays=[base, mine])
    assert message.startswith(f"{base}: tables.m4/base.settings.shown: unknown evaluation 'nothing'; known: ")


def test_numbers_may_be_written_as_numbers_or_text():
    files = configuration_files(ROOT)
    written = "{grids: {fair-lambda: {lams: [0.05, 1e-6, '0.0001', 1.0e-7]}}, recipes: {small: {eps: 1e-9}}}"
    config = read_configuration(files)
    overlay = yaml.safe_load(written)
    config["grids"]["fair-lambda"] |= overlay["grids"]["fair-lambda"]
    config["recipes"]["small"] |= overlay["recipes"]["small"]
    plan = load_plan(config, files)
    assert plan.grids["fair-lambda"].lams == ["0.05", "1e-6", "0.0001", "1e-7"]
    assert plan.configuration.recipes["small"].eps == 1e-9


def test_a_probe_needs_epochs_after_its_warm_up(error_of, tmp_path):
    settings = ProbeSettings()
    assert (settings.epochs, settings.warm_up) == (PROBE_EPOCHS, PROBE_WARM_UP)
    mine = tmp_path / "mine.yaml"
    mine.write_text("evaluations: {fairvlmed-probe: {epochs: 10}}", encoding="utf-8")
    message = error_of(load_study, "paper", overlays=[mine])
    assert message.startswith(f"{mine}: evaluations.fairvlmed-probe: ")
    assert "a warm_up of 10 epochs leaves none of 10; set a smaller warm_up" in message
    mine.write_text("evaluations: {fairvlmed-probe: {epochs: 10, warm_up: 9}}", encoding="utf-8")
    assert load_study("paper", overlays=[mine]).configuration.evaluations["fairvlmed-probe"].warm_up == 9


@pytest.mark.parametrize("p_values", ["largest_p: 0.01", "smallest_p: 0.05, direction: higher"])
def test_a_claim_of_a_difference_has_a_direction(error_of, tmp_path, p_values):
    claim = f"{{section: '4', quantity: q, shown: [coco-retrieval], metrics: [accuracy], {p_values}}}"
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"tables: {{m4/quality-tests: {{settings: {{claims: [{claim}]}}}}}}", encoding="utf-8")
    message = error_of(load_study, "paper", overlays=[mine])
    assert message.endswith("expected either smallest_p, or largest_p and direction")
