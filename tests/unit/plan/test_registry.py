"""A mistake in config.yaml is one line that names the known values, before any job."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clipfair.core.errors import UserError
from clipfair.plan.registry import canonical_number, load_registry

ROOT = Path(__file__).parents[3]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def changed(**edits):
    """config.yaml with some values replaced: ``changed(**{"grids > table5 > seeds": [0, 0]})``."""
    config = copy.deepcopy(CONFIG)
    for where, value in edits.items():
        *path, last = where.split(" > ")
        place = config
        for step in path:
            place = place[step]
        place[last] = value
    return config


def error_of(**edits):
    with pytest.raises(UserError) as caught:
        load_registry(changed(**edits))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_config_that_is_shipped_is_valid_in_every_study():
    for study in CONFIG["studies"]:
        registry = load_registry(changed(study=study))
        assert registry.study == study
        assert {"adult", "credit-default"} <= set(registry.datasets_needed())


def test_planning_does_not_import_torch():
    code = (
        "import sys, yaml; from clipfair.plan.registry import load_registry; "
        "load_registry(yaml.safe_load(open('config.yaml', encoding='utf-8'))); print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_a_grid_is_the_product_of_its_lists():
    registry = load_registry(CONFIG)
    batches = registry.batches("table5")
    grid = registry.grids["table5"]
    assert len(batches) == len(set(batches)) == len(grid.tasks) * len(grid.mitigations)
    assert {registry.grid_of(batch) for batch in batches} == {"table5"}
    assert len(registry.records("m4/table5")) == len(batches)


def test_a_seed_a_method_and_a_task_are_one_line_each():
    before = load_registry(CONFIG)
    seeds = [*CONFIG["grids"]["table5"]["seeds"], 10]
    after = load_registry(changed(**{"grids > table5 > seeds": seeds}))
    batch = after.batches("table5")[0]
    assert after.mitigation_settings(batch)["seeds"] == seeds

    variant = {"kind": "rto", "gamma": 0.5, "published": None}
    methods = [*CONFIG["grids"]["table5"]["mitigations"], "rto-0.5"]
    after = load_registry(
        changed(**{"mitigations > rto-0.5": variant, "grids > table5 > mitigations": methods})
    )
    assert len(after.batches("table5")) == len(before.batches("table5")) + 2
    unchanged = before.batches("table5")
    assert [after.mitigation_settings(b) for b in unchanged] == [
        before.mitigation_settings(b) for b in unchanged
    ]

    task = {"dataset": "adult", "label": "income", "sensitive": "race", "published": None}
    tasks = [*CONFIG["grids"]["table5"]["tasks"], "adult-race"]
    after = load_registry(changed(**{"tasks > adult-race": task, "grids > table5 > tasks": tasks}))
    assert {batch.attr for batch in after.batches("table5")} == {"sex", "race"}


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (
            {"stuyd": "lab"},
            "config: unknown key 'stuyd' (did you mean 'study'?); known: annotations, balances",
        ),
        (
            {"study": "papre"},
            "config.study: unknown study 'papre' (did you mean 'paper'?); known: embedded, lab",
        ),
        (
            {"grids > table5 > seed": [1]},
            "config.grids.table5: unknown key 'seed' (did you mean 'seeds'?); known: classifier",
        ),
        ({"grids > table5 > seeds": [0, "1"]}, "config.grids.table5.seeds[1]: '1' is not of type integer"),
        ({"grids > table5 > seeds": [3, 3]}, "config.grids.table5.seeds: 3 is listed twice"),
        (
            {"grids > table5 > mitigations": ["basline"]},
            "config.grids.table5.mitigations: unknown mitigation 'basline' (did you mean 'baseline'?)",
        ),
        (
            {"grids > table5 > tasks": ["adlt"]},
            "config.grids.table5.tasks: unknown task 'adlt' (did you mean 'adult'?)",
        ),
        ({"grids > table5 > classifier": "mlp"}, "config.grids.table5.classifier: unknown classifier 'mlp'"),
        ({"tasks > adult > dataset": "adults"}, "config.tasks.adult.dataset: unknown dataset 'adults'"),
        (
            {"tasks > adult > sensitive": "religion"},
            "config.tasks.adult.sensitive: unknown attribute of adult 'religion'; known: race, sex",
        ),
        (
            {"tasks > adult > label": "default"},
            "config.tasks.adult.label: unknown label of adult 'default'; known: income",
        ),
        (
            {"tasks > twin": {"dataset": "adult", "label": "income", "sensitive": "sex", "published": None}},
            "config.tasks.twin: task 'adult' already has this dataset and attribute",
        ),
        (
            {"mitigations > rto > kind": "rt0"},
            "config.mitigations.rto.kind: unknown value 'rt0' (did you mean 'rto'?)",
        ),
        (
            {"mitigations > rto > gama": 1},
            "config.mitigations.rto: unknown key 'gama' (did you mean 'gamma'?)",
        ),
        (
            {"mitigations > rto > gamma": 0},
            "config.mitigations.rto.gamma: 0 is less than or equal to the minimum of 0",
        ),
        ({"mitigations > rto > gamma": "5e-2"}, "config.mitigations.rto.gamma: '5e-2' is not of type number"),
        (
            {"mitigations > Rto": {"kind": "rto", "published": None}},
            "config.mitigations: the id 'Rto' may only have a-z",
        ),
        (
            {"mitigations > again": {"kind": "baseline", "published": None}},
            "config.mitigations.again: says the same as 'baseline'; one method has one id",
        ),
        (
            {"tables > m4/table5 > builder": "mitigations"},
            "config.tables.m4/table5.builder: unknown builder 'mitigations'",
        ),
        (
            {"studies > lab": ["m4/table66"]},
            "config.studies.lab: unknown table 'm4/table66' (did you mean 'm4/table6'?)",
        ),
        ({"subset": ["adlt"]}, "config.subset: unknown dataset 'adlt' (did you mean 'adult'?)"),
        (
            {"classifiers > mlp-128 > epochs": 2.5},
            "config.classifiers.mlp-128.epochs: 2.5 is not of type integer",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_known_values(edits, message):
    assert error_of(**edits).startswith(message)


def test_without_a_dataset_its_tasks_go_and_with_the_last_the_table():
    registry = load_registry(CONFIG)
    rest = registry.without(["credit-default"])
    assert {batch.dataset for batch in rest.batches("table5")} == {"adult"}
    assert rest.notes("m4/table5") == [
        "Real data: adult.",
        "Left out of this study (missing data): credit-default.",
    ]
    assert rest.targets() == registry.targets()
    nothing = registry.without(["adult", "credit-default"])
    assert not [target for target in nothing.targets() if "m4/table5" in target]
    web = registry.without(["embedded-web"])
    gone = {table for table in registry.study_tables if table not in web.study_tables}
    # A list of datasets is as good without one of them.
    assert gone | {"m4/datasets"} == {
        table for table in registry.study_tables if "embedded-web" in registry.datasets_of(table)
    }


def test_a_table_says_what_its_data_are():
    registry = load_registry(changed(subset=["embedded-web"]))
    notes = registry.without(["adult"]).notes("m4/conditions")
    assert [note.partition(":")[0] for note in notes] == [
        "Synthetic data with planted biases; not comparable with the paper",
        "Partial data (subset); not comparable with the paper",
        "Left out of this study (missing data)",
    ]
    assert registry.data_kind("m4/conditions") == "synthetic, partial"
    assert registry.incomparable("m4/conditions") == "synthetic data"
    assert registry.data_kind("m4/table5") == "real"
    assert registry.incomparable("m4/table5") == ""
    lab = load_registry(changed(study="lab", subset=["fairface-labels"]))
    assert lab.notes("m4/conditions-flickr30k") == ["Real data: flickr30k-captions."]
    assert lab.data_kind("m4/conditions-fairface") == "real, partial"
    assert lab.incomparable("m4/conditions-fairface") == "partial data"
    mixed = load_registry(changed(**{"data_tables > m4/datasets > datasets": ["adult", "embedded-web"]}))
    assert mixed.data_kind("m4/datasets") == "synthetic and real"


def test_a_missing_key_is_named():
    config = copy.deepcopy(CONFIG)
    del config["grids"]["table5"]["seeds"]
    with pytest.raises(UserError, match=r"^config.grids.table5: missing seeds$"):
        load_registry(config)


def test_two_grids_share_a_run_only_if_they_repeat_it_alike():
    twin = {**CONFIG["grids"]["table5"], "seeds": [0]}
    table = {**CONFIG["tables"]["m4/table5"], "grid": "twin"}
    message = error_of(
        **{
            "grids > twin": twin,
            "tables": {**CONFIG["tables"], "m4/twin": table},
            "studies > embedded": ["m4/table5", "m4/twin"],
        }
    )
    assert message.startswith("config.grids.twin: repeats dataset~adult/")


@pytest.mark.parametrize(
    ("value", "spelling"),
    [
        ("1e-7", "1e-7"), ("1e-07", "1e-7"), ("0.0000001", "1e-7"), (1e-7, "1e-7"), (0.05, "0.05"),
        ("5e-2", "0.05"), (1, "1"), (1.0, "1"), ("1.50", "1.5"), (0, "0"), ("-0.0", "0"), (2.5e7, "2.5e7"),
        ("1E3", "1000"),
    ],
)  # fmt: skip
def test_a_number_has_one_spelling(value, spelling):
    assert canonical_number(value) == spelling


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_spelling_is_the_number_and_its_own_spelling(value):
    spelling = canonical_number(value)
    assert float(spelling) == value
    assert canonical_number(spelling) == spelling


@pytest.mark.parametrize("value", ["seven", "nan", "inf", ""])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="not a"):
        canonical_number(value)


def test_another_spelling_of_a_number_is_refused():
    assert error_of(**{"mirror": "1e-07"}) == (
        "config.mirror: the number '1e-07' is spelt 1e-7 here; write it so"
    )


def test_a_table_that_lists_datasets_stands_with_one_less():
    registry = load_registry(CONFIG | {"study": "paper"})
    rest = registry.without(["imagenet"])
    assert rest.datasets_of("m4/table7-web") == ["coco"]
    assert "m4/table7-web" in rest.study_tables
    assert "Left out of this study (missing data): imagenet." in rest.notes("m4/table7-web")
    assert "m4/table7-web" not in registry.without(["imagenet", "coco"]).study_tables
