"""config.schema.yaml describes exactly the settings that each method's module has."""

import dataclasses
import pkgutil

import pytest
import yaml

import clipfair.tabular.methods
from clipfair.plan.registry import SCHEMA
from clipfair.tabular.run import load_method

DEFINITIONS = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["$defs"]
KINDS = DEFINITIONS["mitigation"]["properties"]["kind"]["enum"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_has_the_settings_of_the_module(kind):
    known = {item.name for item in dataclasses.fields(load_method(kind).Settings)}
    assert set(DEFINITIONS[kind]["properties"]) - {"kind", "published"} == known


def test_every_kind_leads_to_its_settings():
    rules = DEFINITIONS["mitigation"]["allOf"]
    branches = {rule["if"]["properties"]["kind"]["const"]: rule["then"] for rule in rules}
    assert branches == {kind: {"$ref": f"#/$defs/{kind}"} for kind in KINDS}


def test_the_schema_knows_every_module():
    modules = {module.name for module in pkgutil.iter_modules(clipfair.tabular.methods.__path__)}
    assert modules == set(KINDS)
