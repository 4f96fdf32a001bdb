"""config.schema.yaml and the methods' modules have exactly the methods and settings of the models."""

import pkgutil

import pytest
import yaml

import clipfair.tabular.methods
from clipfair.plan.mitigation_settings import MITIGATION_SETTINGS
from clipfair.plan.registry import SCHEMA

DEFINITIONS = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["$defs"]
KINDS = DEFINITIONS["mitigation"]["properties"]["kind"]["enum"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_has_the_settings_of_the_model(kind):
    known = set(MITIGATION_SETTINGS[kind].model_fields)
    assert set(DEFINITIONS[kind]["properties"]) - {"kind", "published"} == known - {"eps_reading"}


def test_every_kind_leads_to_its_settings():
    rules = DEFINITIONS["mitigation"]["allOf"]
    branches = {rule["if"]["properties"]["kind"]["const"]: rule["then"] for rule in rules}
    assert branches == {kind: {"$ref": f"#/$defs/{kind}"} for kind in KINDS}


def test_every_module_has_a_model():
    modules = {module.name for module in pkgutil.iter_modules(clipfair.tabular.methods.__path__)}
    assert modules == set(MITIGATION_SETTINGS) == set(KINDS)
