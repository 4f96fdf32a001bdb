import json
import re

import pytest
import yaml
from jsonschema import Draft202012Validator

from clipfair.core.paths import ROOT
from clipfair.plan.configuration.root import Configuration
from clipfair.plan.configuration_files import configuration_files, read_file
from clipfair.plan.configuration_page import PAGE, render
from clipfair.plan.configuration_schema import SCHEMA, render_schema

SCHEMA_TEXT = SCHEMA.read_text(encoding="utf-8")
VALIDATOR = Draft202012Validator(json.loads(SCHEMA_TEXT))
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/extending.md").read_text("utf-8"), re.M | re.S)


def test_the_page_is_current():
    text = PAGE.read_text(encoding="utf-8")
    assert text == render(), "run python -m clipfair.plan.configuration_page and review what has changed"


def test_the_schema_is_current_and_names_no_place_outside_the_repository():
    assert render_schema() == SCHEMA_TEXT, "run python -m clipfair.plan.configuration_page"
    Draft202012Validator.check_schema(json.loads(SCHEMA_TEXT))
    assert not re.search(r"\w://\w", SCHEMA_TEXT)
    assert str(ROOT) not in SCHEMA_TEXT


@pytest.mark.parametrize("file", configuration_files(ROOT), ids=lambda file: file.name)
def test_every_file_of_the_configuration_satisfies_the_schema(file):
    assert [error.message for error in VALIDATOR.iter_errors(read_file(file))] == []


def test_every_example_satisfies_the_schema():
    # The entry of resources/datasets.yaml is not of the configuration.
    examples = [example for example in EXAMPLES if not example.startswith("my-people:")]
    assert len(examples) == len(EXAMPLES) - 1
    assert [text for text in examples if not VALIDATOR.is_valid(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "sutdy: lab",
        "grids: {fair-lambda: {lam: [10]}}",
        "grids: {fair-lambda: {lams: swept-lams}}",
        "grids: {table5: {seeds: [-1]}}",
        "models: {small-16: {like: small-24-r32, widht: 16}}",
        "recipes: {small: {learning_rate: fast}}",
        "methods: {a-fairclip: {score: diagonal}}",
        "tables: {fairclip/zero-shot: {baseline: {a-fairclip: clip-ft}}}",
        "balances: {half: {kind: qualty, share: 0.5}}",
    ],
)
def test_the_schema_refuses_what_is_misspelt_or_of_the_wrong_type(text):
    assert not VALIDATOR.is_valid(yaml.safe_load(text))


def test_every_key_is_described():
    schema = Configuration.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    keys = [(model["title"], key) for model in models for key in model.get("properties", {})]
    text = PAGE.read_text(encoding="utf-8")
    assert [
        key
        for key in keys
        if f"| `{key[1]}` |" not in text
        and key[1] not in ("like", "name")
        and key[1] not in schema["properties"]
    ] == []
