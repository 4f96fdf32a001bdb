from clipfair.plan.configuration.root import Configuration
from clipfair.plan.configuration_page import PAGE, render


def test_the_page_is_current():
    text = PAGE.read_text(encoding="utf-8")
    assert text == render(), "run python -m clipfair.plan.configuration_page and review what has changed"


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
